import type { Container, Image } from '../../../src/core/types';

export const IMAGE_ID = `sha256:${'a'.repeat(64)}`;
export const CONTAINER_ID = 'c'.repeat(64);

/** A container's record, with the given members in place of the usual ones. */
export function container(
	changes: Partial<Omit<Container, 'config'>> & { config?: Partial<Container['config']> } = {},
): Container {
	return {
		id: CONTAINER_ID,
		name: 'web',
		image_id: IMAGE_ID,
		status: 'created',
		created_at: '2026-01-01T00:00:00.500000000Z',
		started_at: '',
		finished_at: '',
		labels: {},
		annotations: {},
		restart_count: 0,
		exit_code: 0,
		error: '',
		oom_killed: false,
		manual_stop: false,
		process: null,
		shim: null,
		...changes,
		config: {
			image: 'demo/web',
			command: ['sh', '-c', 'echo hi'],
			entrypoint: [],
			env: [],
			working_dir: '/',
			user: '',
			hostname: 'cccccccccccc',
			tty: false,
			open_stdin: false,
			stdin_once: false,
			stop_signal: 'SIGTERM',
			stop_timeout: 10,
			resources: { cpu: 0, memory: 0, pids: 0 },
			network: {
				mode: 'host',
				endpoints: [],
				ports: [],
				publish_all: false,
				exposed_ports: [],
				dns: { servers: [], search: [], options: [] },
			},
			log_config: { type: 'json-file', options: {} },
			mounts: [],
			read_only: false,
			privileged: false,
			cap_add: [],
			cap_drop: [],
			auto_remove: false,
			extra_hosts: [],
			...changes.config,
		},
	};
}

/** An image's record, with the given members in place of the usual ones. */
export function image(changes: Partial<Image> = {}): Image {
	return {
		id: IMAGE_ID,
		name: 'docker.io/library/nginx',
		tag: 'latest',
		layers: [`sha256:${'b'.repeat(64)}`],
		config: {
			cmd: ['nginx'],
			entrypoint: [],
			env: ['A=1'],
			working_dir: '',
			exposed_ports: { '80/tcp': {} },
			user: '',
			volumes: {},
			labels: { maintainer: 'me' },
			stop_signal: 'SIGQUIT',
		},
		size: 1000,
		created: '2026-01-01T00:00:00.999Z',
		digest: `sha256:${'d'.repeat(64)}`,
		repo_digests: [`docker.io/library/nginx@sha256:${'d'.repeat(64)}`],
		platform: { os: 'linux', architecture: 'amd64' },
		pulled_at: '2026-01-02T00:00:00Z',
		...changes,
	};
}
