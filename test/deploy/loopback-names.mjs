// Loaded with `node --import` into everything that the deploy lane starts: every name of AWS leads to the stand-in on
// loopback, whatever its port, and to nowhere else. So no name has to stand in /etc/hosts, and nothing can reach AWS.
import { Socket } from 'node:net';

const port = Number(process.env.CINDERBLOCK_STAND_IN_PORT);

/** Of AWS, as they stand in URLs that the stand-in and CloudFormation make. */
const STOOD_IN_FOR = /(^|\.)(amazonaws\.com|cloudfront\.net)$/;

const connect = Socket.prototype.connect;

Socket.prototype.connect = function connectLocally(...args) {
  // Callers inside Node.js pass what they were called with as one list.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof options === 'object' && STOOD_IN_FOR.test(options?.host ?? '')) {
    Object.assign(options, { port, lookup: toLoopback });
  }
  return connect.apply(this, args);
};

function toLoopback(_name, options, done) {
  const address = { address: '127.0.0.1', family: 4 };
  const answer = options.all ? [[address]] : [address.address, address.family];
  queueMicrotask(() => done(null, ...answer));
}
