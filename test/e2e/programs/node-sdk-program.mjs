// A program as its developers would write it, profiled by the stock SDK. argv: server address, seconds to be busy.
import Pyroscope from '@pyroscope/nodejs';

const [serverAddress, seconds] = process.argv.slice(2);

Pyroscope.init({
  appName: 'checkout',
  serverAddress,
  tags: { region: 'eu' },
  flushIntervalMs: 1000,
  wall: { samplingDurationMs: 1000, samplingIntervalMicros: 5000, collectCpuTime: true },
});
Pyroscope.start();

const until = Date.now() + Number(seconds) * 1000;
while (Date.now() < until) {
  computeTheInvoice();
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await Pyroscope.stop();

function computeTheInvoice() {
  const end = Date.now() + 50;
  let sum = 0;
  while (Date.now() < end) for (let i = 0; i < 1000; i++) sum += Math.sqrt(i);
  return sum;
}
