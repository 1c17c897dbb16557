import * as v from 'valibot';
import { DRIVER_NAMES } from '../storage/driver';
import type { Container, ContainerStatus } from '../types';
import { RUNTIME_NAMES } from './runtime';

const identity = v.object({ pid: v.number(), start_time: v.string(), boot_id: v.string() });
const strings = v.array(v.string());
const labels = v.record(v.string(), v.string());
const number = v.optional(v.number());
const string = v.optional(v.string());

const schema = v.object({
	id: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
	name: v.pipe(v.string(), v.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)),
	image_id: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
	status: v.picklist([
		...([
			'created',
			'starting',
			'running',
			'paused',
			'stopping',
			'restarting',
			'exited',
			'removing',
			'dead',
		] as const),
	]),
	storage_driver: v.optional(v.picklist(DRIVER_NAMES)),
	created_at: v.string(),
	started_at: v.string(),
	finished_at: v.string(),
	config: v.object({
		image: v.string(),
		command: strings,
		entrypoint: strings,
		env: strings,
		working_dir: v.string(),
		user: v.string(),
		hostname: v.string(),
		tty: v.boolean(),
		open_stdin: v.boolean(),
		stdin_once: v.boolean(),
		stop_signal: v.string(),
		stop_timeout: v.number(),
		resources: v.object({
			...{ cpu: v.number(), memory: v.number(), pids: v.number() },
			...{ cpu_shares: number, cpu_quota: number, cpu_period: number, cpuset_cpus: string, cpuset_mems: string },
			...{ memory_swap: number, memory_reservation: number, memory_swappiness: number },
			...{ oom_kill_disable: v.optional(v.boolean()), blkio_weight: number },
		}),
		network: v.object({
			mode: v.string(),
			endpoints: v.array(
				v.object({
					network: v.string(),
					aliases: strings,
					links: v.optional(strings),
					address: v.string(),
					mac_address: v.string(),
				}),
			),
			ports: v.array(
				v.object({
					container_port: v.number(),
					protocol: v.picklist(['tcp', 'udp']),
					host_ip: v.string(),
					host_port: v.number(),
					host_port_end: v.number(),
				}),
			),
			publish_all: v.boolean(),
			exposed_ports: strings,
			dns: v.object({ servers: strings, search: strings, options: strings }),
		}),
		log_config: v.object({ type: v.string(), options: labels }),
		mounts: v.array(
			v.object({
				type: v.picklist(['bind', 'tmpfs', 'volume']),
				source: v.string(),
				destination: v.string(),
				read_only: v.boolean(),
				options: v.optional(strings),
			}),
		),
		read_only: v.boolean(),
		privileged: v.boolean(),
		cap_add: strings,
		cap_drop: strings,
		auto_remove: v.boolean(),
		extra_hosts: strings,
		health: v.optional(
			v.object({
				...{ test: strings, interval: v.number(), timeout: v.number() },
				...{ start_period: v.number(), retries: v.number() },
			}),
		),
		isolation: v.optional(
			v.object({
				devices: v.optional(
					v.array(v.object({ host: v.string(), container: v.string(), permissions: v.string() })),
				),
				ulimits: v.optional(v.array(v.object({ name: v.string(), soft: v.number(), hard: v.number() }))),
				...{ device_rules: v.optional(strings), security_options: v.optional(strings) },
				...{ groups: v.optional(strings), sysctls: v.optional(labels), shm_size: number },
				...{ ipc: string, pid: string, uts: string, userns: string, cgroupns: string },
				...{ cgroup_parent: string, domainname: string, oom_score_adj: number },
				...{ init: v.optional(v.boolean()), volumes_from: v.optional(strings) },
				...{ masked_paths: v.optional(strings), readonly_paths: v.optional(strings) },
				runtime: v.optional(v.picklist(RUNTIME_NAMES)),
			}),
		),
		console_size: v.optional(v.object({ rows: v.number(), columns: v.number() })),
		restart_policy: v.optional(
			v.object({
				name: v.picklist(['always', 'unless-stopped', 'on-failure']),
				max_retries: v.pipe(v.number(), v.integer(), v.minValue(0)),
			}),
		),
	}),
	labels,
	annotations: labels,
	restart_count: v.number(),
	exit_code: v.number(),
	error: v.string(),
	oom_killed: v.boolean(),
	manual_stop: v.boolean(),
	health: v.optional(v.picklist(['starting', 'healthy', 'unhealthy'])),
	process: v.nullable(identity),
	shim: v.nullable(identity),
});

/** Key of a container's record in the Store. */
export function recordKey(id: string): string {
	return `container-${id}`;
}

/** Checks a record that was read from the disk. */
export function isContainer(value: unknown): value is Container {
	return v.is(schema, value);
}

/** A container that has processes, or will have in a moment. */
export function isLive(status: ContainerStatus): boolean {
	return LIVE.has(status);
}

const LIVE: ReadonlySet<ContainerStatus> = new Set(['starting', 'running', 'paused', 'stopping', 'restarting']);
