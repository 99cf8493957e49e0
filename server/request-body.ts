import type { IncomingMessage } from 'node:http';

/** Bytes that are read ahead of whoever reads the body. */
const READ_AHEAD_BYTES = 1024 * 1024;

/**
 * The body of a node:http request as a web stream. Cancelling it lets the rest flow away unread, and leaves the
 * connection alone, so that whoever refuses a body can still say so.
 */
export function bodyStream(message: IncomingMessage): ReadableStream<Uint8Array> {
  let open = true;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        message.on('data', (chunk: Buffer) => {
          if (!open) return;
          controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
          if ((controller.desiredSize ?? 0) <= 0) message.pause();
        });
        const end = (error?: Error) => {
          if (!open) return;
          open = false;
          if (error) controller.error(error);
          else controller.close();
        };
        message.on('end', () => end());
        message.on('error', (error) => end(error));
        message.on('close', () => end(new Error('the connection closed')));
      },
      pull() {
        message.resume();
      },
      cancel() {
        open = false;
        message.resume();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD_BYTES }),
  );
}
