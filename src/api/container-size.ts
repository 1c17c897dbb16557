import type { Container } from '../core/types';
import type { Core } from './request';

/** docker's SizeRw, what the container has written, and SizeRootFs, that and its image, in bytes. */
export async function containerSizes(
	container: Container,
	{ containers, images }: Pick<Core, 'containers' | 'images'>,
	signal: AbortSignal,
): Promise<{ readonly SizeRw: number; readonly SizeRootFs: number }> {
	const written = await containers.size(container.id, signal);
	return { SizeRw: written, SizeRootFs: written + (images.find(container.image_id)?.size ?? 0) };
}
