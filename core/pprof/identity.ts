/** 0, 1, 2, …, as many as asked for and possibly more. Shared by all, so nobody may write to it. */
export function upTo(count: number): Int32Array {
  if (identity.length < count) {
    identity = new Int32Array(count * 2);
    for (let i = 0; i < identity.length; i++) identity[i] = i;
  }
  return identity;
}

let identity: Int32Array = new Int32Array(0);
