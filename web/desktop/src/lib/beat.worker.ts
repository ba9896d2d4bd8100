// Browsers let the timers of a page in the background run once a minute; those of a worker they leave alone. The
// heartbeat is what keeps an agent reachable while another tab is looked at.

let timer: ReturnType<typeof setInterval> | undefined;

self.onmessage = (message: MessageEvent<number>) => {
  clearInterval(timer);
  if (message.data > 0) timer = setInterval(() => self.postMessage(0), message.data);
};
