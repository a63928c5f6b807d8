// The proof of work of the sign-up form: looks for a number that, put behind the challenge, gives a SHA-256 digest with so
// many leading zero bits. It works in small slices while the form is filled in, so that the page stays usable.
(() => {
  const form = document.getElementById("sign-up-form");
  if (!form) return;
  const status = document.getElementById("sign-up-status");
  const proof = document.getElementById("proof");
  // Browsers may bring back the proof of another challenge.
  proof.value = "";
  const challenge = document.getElementById("challenge").value;
  const bits = Number(form.dataset.bits);

  // SHA-256 (FIPS 180-4), for short ASCII texts. The constants are fractions of roots of the first primes.
  const fraction = (x) => ((x - Math.floor(x)) * 0x100000000) | 0;
  const primes = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
  const K = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
  const START = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
  const W = new Int32Array(64);
  const rotate = (x, n) => (x >>> n) | (x << (32 - n));
  const block = (state, bytes, at) => {
    for (let i = 0; i < 16; i += 1) {
      const j = at + 4 * i;
      W[i] = (bytes[j] << 24) | (bytes[j + 1] << 16) | (bytes[j + 2] << 8) | bytes[j + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const x = W[i - 15], y = W[i - 2];
      W[i] = (W[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) + W[i - 7] + (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10))) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
      const one = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
      const two = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    return [state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e, state[5] + f, state[6] + g, state[7] + h].map((x) => x | 0);
  };

  // Whole blocks of the challenge are digested once.
  const prefix = Array.from(`${challenge}:`, (c) => c.charCodeAt(0));
  const whole = prefix.length - (prefix.length % 64);
  let middle = START;
  for (let at = 0; at < whole; at += 64) middle = block(middle, prefix, at);
  const rest = prefix.slice(whole);
  const zeroBits = (number) => {
    const text = String(number);
    const length = rest.length + text.length;
    const bytes = new Uint8Array(length < 56 ? 64 : 128);
    bytes.set(rest);
    for (let i = 0; i < text.length; i += 1) bytes[rest.length + i] = text.charCodeAt(i);
    bytes[length] = 0x80;
    new DataView(bytes.buffer).setUint32(bytes.length - 4, 8 * (whole + length));
    let state = block(middle, bytes, 0);
    if (bytes.length > 64) state = block(state, bytes, 64);
    // At most 24 bits are asked for: the first word tells.
    return Math.clz32(state[0]);
  };

  let number = 0;
  let wanted = false;
  const work = () => {
    const until = performance.now() + 12;
    while (performance.now() < until) {
      for (let i = 0; i < 64; i += 1, number += 1) {
        if (zeroBits(number) >= bits) {
          proof.value = String(number);
          if (wanted) form.submit();
          return;
        }
      }
    }
    setTimeout(work, 0);
  };
  form.addEventListener("submit", (event) => {
    if (proof.value !== "") return;
    event.preventDefault();
    wanted = true;
    status.textContent = status.dataset.working;
  });
  work();
})();
