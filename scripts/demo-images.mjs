// Two images made on the spot from Debian packages and pushed to a registry through its API:
//   demo/busybox:latest   busybox-static and a link for each of its commands; an OCI image
//   demo/web:latest       the same, a web page with its font (fonts-dejavu-core) and a server that prints a line a second;
//                         in Docker's own format
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import zlib from 'node:zlib';
import tar from 'tar-stream';

/** The port that demo/web serves its page on, unless PORT in its environment says another or somebody has it already. */
const webPort = 8123;

const mediaTypes = {
	oci: {
		manifest: 'application/vnd.oci.image.manifest.v1+json',
		config: 'application/vnd.oci.image.config.v1+json',
		layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
	},
	docker: {
		manifest: 'application/vnd.docker.distribution.manifest.v2+json',
		config: 'application/vnd.docker.container.image.v1+json',
		layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
	},
};

/** Makes both images and pushes them; gives their names in the registry. `address` is "127.0.0.1:PORT". */
export async function pushDemoImages(address) {
	const busybox = await layer(busyboxFiles());
	const page = await layer(pageFiles());
	const server = await layer(serverFiles());
	await pushImage(address, 'demo/busybox', mediaTypes.oci, [busybox], {
		Cmd: ['sh'],
		Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
	});
	await pushImage(address, 'demo/web', mediaTypes.docker, [busybox, page, server], {
		Cmd: ['/bin/web'],
		Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', `PORT=${webPort}`],
		ExposedPorts: { [`${webPort}/tcp`]: {} },
		WorkingDir: '/www',
		Labels: { 'org.opencontainers.image.title': 'MyDocker demo page' },
	});
	return ['demo/busybox:latest', 'demo/web:latest'];
}

function busyboxFiles() {
	const commands = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
	const folders = ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'usr', 'usr/bin', 'var'];
	return [
		...folders.map((name) => ({ name: `${name}/`, type: 'directory', mode: 0o755 })),
		{ name: 'tmp/', type: 'directory', mode: 0o1777 },
		{ name: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
		{ name: 'etc/group', content: 'root:x:0:\nnogroup:x:65534:\n' },
		{ name: 'bin/busybox', content: fs.readFileSync('/bin/busybox'), mode: 0o755 },
		...commands
			.filter((name) => name !== 'busybox')
			.map((name) => ({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox' })),
	];
}

function pageFiles() {
	const fonts = '/usr/share/fonts/truetype/dejavu';
	return [
		{ name: 'www/', type: 'directory', mode: 0o755 },
		...fs
			.readdirSync(fonts)
			.sort()
			.map((name) => ({ name: `www/${name}`, content: fs.readFileSync(`${fonts}/${name}`) })),
	];
}

function serverFiles() {
	return [
		{ name: 'bin/web', content: webScript, mode: 0o755 },
		{ name: 'www/index.html', content: webPage },
	];
}

const webPage = `<!doctype html>
<meta charset="utf-8">
<title>MyDocker demo</title>
<style>
	@font-face { font-family: DejaVu; src: url(DejaVuSans.ttf); }
	body { font: 1.5rem DejaVu, sans-serif; margin: 20vh auto; width: 32rem; }
</style>
<h1>It works.</h1>
<p>This page comes from a container that MyDocker runs.</p>
`;

// Containers share the host's network, so that the port may be taken: then the next free one is used, and said.
const webScript = `#!/bin/sh
port=\${PORT:-${webPort}}
trap 'echo "web: stopping after $count seconds"; kill $server; exit 0' TERM INT
while :; do
	httpd -f -p "$port" -h /www &
	server=$!
	sleep 1
	kill -0 $server 2>/dev/null && break
	echo "web: port $port is in use" >&2
	port=$((port + 1))
done
echo "web: listening on http://localhost:$port"
count=0
while :; do
	count=$((count + 1))
	echo "web: tick $count"
	sleep 1 &
	wait $!
done
`;

/** A gzipped tar with fixed times and owners: the same files give the same digest every time. */
async function layer(files) {
	const pack = tar.pack();
	for (const { name, type = 'file', mode = type === 'symlink' ? 0o777 : 0o644, linkname, content } of files) {
		const header = { name, type, mode, linkname, mtime: new Date(0), uid: 0, gid: 0 };
		pack.entry(header, content ?? '');
	}
	pack.finalize();
	const chunks = [];
	for await (const chunk of pack) {
		chunks.push(chunk);
	}
	const archive = Buffer.concat(chunks);
	return { diffId: digest(archive), blob: zlib.gzipSync(archive, { level: 6 }) };
}

async function pushImage(address, repository, types, layers, config) {
	const created = new Date().toISOString();
	const image = Buffer.from(
		JSON.stringify({
			architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch,
			os: 'linux',
			created,
			config,
			rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
			history: layers.map(() => ({ created, created_by: 'scripts/demo-images.mjs' })),
		}),
	);
	const descriptor = (mediaType, blob) => ({ mediaType, size: blob.length, digest: digest(blob) });
	const manifest = {
		schemaVersion: 2,
		mediaType: types.manifest,
		config: descriptor(types.config, image),
		layers: layers.map(({ blob }) => descriptor(types.layer, blob)),
	};
	for (const blob of [image, ...layers.map((each) => each.blob)]) {
		await pushBlob(address, repository, blob);
	}
	const url = new URL(`http://${address}/v2/${repository}/manifests/latest`);
	await request('PUT', url, types.manifest, Buffer.from(JSON.stringify(manifest)));
}

/** distribution-spec: a session is opened, then the whole blob put into it. */
async function pushBlob(address, repository, blob) {
	const session = await request('POST', new URL(`http://${address}/v2/${repository}/blobs/uploads/`));
	const url = new URL(session.headers.location, `http://${address}`);
	url.searchParams.set('digest', digest(blob));
	await request('PUT', url, 'application/octet-stream', blob);
}

function request(method, url, contentType, body) {
	return new Promise((resolve, reject) => {
		const headers = {
			'content-length': body?.length ?? 0,
			...(contentType ? { 'content-type': contentType } : {}),
		};
		const call = http.request(url, { method, headers }, (response) => {
			response.setEncoding('utf8');
			let text = '';
			response.on('data', (chunk) => (text += chunk));
			response.on('error', reject);
			response.on('end', () => {
				if (response.statusCode >= 200 && response.statusCode < 300) {
					resolve(response);
				} else {
					reject(new Error(`Cannot ${method} "${url}": ${response.statusCode} ${text.trim()}`));
				}
			});
		});
		call.on('error', reject);
		call.end(body);
	});
}

function digest(bytes) {
	return `sha256:${crypto.createHash('sha256').update(bytes).digest('hex')}`;
}
