import { measure } from '../../core/system/usage';
import { volumeJson } from '../network-shapes';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { containerSummary, imageSummary } from '../shapes';

export const diskUsageRoutes: readonly Route[] = [route('GET', '/system/df', diskUsage)];

/**
 * Docker's answer, and what it has no word for: `Other`, so that the sum is all that the store takes, and what comes free with
 * images, which docker's program reckons from sizes without blobs.
 */
async function diskUsage(request: ApiRequest): Promise<void> {
	const { core } = request;
	const usage = await measure(core.root, core, request.signal);
	const now = Date.now();
	request.json({
		LayersSize: usage.layersSize,
		UnusedSize: usage.unusedSize,
		Images: usage.images.map(({ image, sharedSize, containers, ownSize }) => ({
			...imageSummary(
				[image, ...core.images.names(image.id).filter((other) => other !== image)],
				request.parts.version,
			),
			SharedSize: sharedSize,
			Containers: containers,
			OwnSize: ownSize,
		})),
		Containers: usage.containers.map(({ container, size }) => ({
			...containerSummary(container, container.config.image, now, core),
			SizeRw: size,
			SizeRootFs: size + (core.images.find(container.image_id)?.size ?? 0),
		})),
		Volumes: usage.volumes.map(({ volume, size, users }) => ({
			...volumeJson(volume, core),
			UsageData: { RefCount: users, Size: size },
		})),
		BuildCache: [],
		BuilderSize: 0,
		Other: usage.other.map(({ kind, size }) => ({ Kind: kind, Size: size })),
	});
}
