// Free ports for the programs that tests start.

import { createServer } from "node:net";
import { createSocket } from "node:dgram";

/** A port free for TCP and UDP on this address. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let n = 0; n < 50; n++) {
    const port = await tcpPort(host);
    if (await udpFree(host, port)) return port;
  }
  throw new Error("no free port");
}

/** The first of so many ports in a row that nobody uses; below the range the system gives out itself. */
export async function freeBlock(count: number, host = "127.0.0.1"): Promise<number> {
  for (let n = 0; n < 50; n++) {
    const first = 10_000 + 2 * Math.floor(Math.random() * 10_000);
    const probes = [first, first + Math.floor(count / 2), first + count - 1];
    const free = await Promise.all(probes.map((p) => udpFree(host, p)));
    if (free.every(Boolean)) return first;
  }
  throw new Error("no free block of ports");
}

function tcpPort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function udpFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(false));
    socket.bind(port, host, () => socket.close(() => resolve(true)));
  });
}
