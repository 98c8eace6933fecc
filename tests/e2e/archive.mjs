// A file of a container, out of the engine's archive: what really lies there.
import { request } from 'node:http';

const BLOCK = 512;

/** The bytes of one file of a container, asked of the engine at a `unix://` or `tcp://` address. */
export async function fileOf(engine, container, path) {
  const { protocol, pathname, hostname, port } = new URL(engine);
  const where = protocol === 'unix:' ? { socketPath: pathname } : { host: hostname, port };
  const asked = `/containers/${container}/archive?path=${encodeURIComponent(path)}`;
  const tar = await new Promise((resolve, reject) => {
    const call = request({ ...where, path: asked }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(Buffer.concat(chunks))
          : reject(new Error(`${asked}: ${response.statusCode} ${Buffer.concat(chunks)}`)),
      );
    });
    call.on('error', reject);
    call.end();
  });
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const size = parseInt(tar.toString('latin1', at + 124, at + 136), 8);
    const kind = tar.toString('latin1', at + 156, at + 157);
    if (kind === '0' || kind === '\0') return tar.subarray(at + BLOCK, at + BLOCK + size);
    at += BLOCK + Math.ceil((size || 0) / BLOCK) * BLOCK;
  }
  throw new Error(`${asked}: no file in it`);
}
