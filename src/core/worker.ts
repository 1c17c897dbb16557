/** The thread of runJob (job-thread.ts), bundled as dist/worker.js: every kind of long work on files. */
import { parentPort } from 'node:worker_threads';
import { unpackJob } from './files/archive';
import type { UnpackJob } from './files/archive';
import { absorb } from './image/absorb';
import type { AbsorbJob } from './image/absorb';
import { contents } from './image/contents';
import type { ContentsJob } from './image/contents';
import { spread } from './image/spread';
import type { SpreadJob } from './image/spread';
import { serveJob } from './job-thread';
import type { JobContext } from './job-thread';

/** What the engine sends; `kind` names the work. */
export type Job = UnpackJob | AbsorbJob | ContentsJob | SpreadJob;

if (parentPort) {
	serveJob(parentPort, (job, context) => perform(job as Job, context));
}

function perform(job: Job, context: JobContext): Promise<unknown> {
	switch (job.kind) {
		case 'unpack':
			return unpackJob(job, { ...context, isSharedThread: false });
		case 'absorb':
			return absorb(job, context);
		case 'contents':
			return contents(job, context);
		case 'spread':
			return spread(job, context);
	}
}
