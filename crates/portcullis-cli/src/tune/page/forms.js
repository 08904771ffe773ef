// The closed forms of `closed_forms.rs`, restated: plain functions of seconds and shares. A test compares
// every figure of the page with the command's, over many settings.

/** The share of time, or of sessions, in bursts. */
function activeShare(burst, pause) {
  return burst / (burst + pause);
}

function mixing(burst, pause) {
  return 1 / burst + 1 / pause;
}

/** The probability that a session is active `after` it was. */
function activeAgain(burst, pause, after) {
  if (pause === 0) return 1;
  const share = activeShare(burst, pause);
  return share + (1 - share) * Math.exp(-mixing(burst, pause) * after);
}

/** The probability that a session is active `after` it was inactive. Without pauses, all are active. */
function activeBack(burst, pause, after) {
  return pause === 0 ? 1 : activeShare(burst, pause) * -Math.expm1(-mixing(burst, pause) * after);
}

/** The expected time in bursts between two ages of a session that was active at age 0. */
function activeTime(burst, pause, from, to) {
  if (pause === 0) return to - from;
  const share = activeShare(burst, pause);
  const rate = mixing(burst, pause);
  const forgotten = Math.exp(-rate * from) - Math.exp(-rate * to);
  return share * (to - from) + ((1 - share) / rate) * forgotten;
}

/** The mean time between two refreshes of a session. */
function refreshCycle(used, wait, burst, pause) {
  return used + (1 - activeAgain(burst, pause, used)) * pause + wait * (1 + pause / burst);
}

/** The probability that a session revoked at a random moment is accepted for longer than `lag`. */
function lagExceeds(lag, accepted, used, burst, pause, cycle) {
  const rest = Math.max(accepted - lag, 0);
  let older = 0;
  if (rest > used && pause > 0) {
    const resting = 1 - activeAgain(burst, pause, used);
    older = resting * pause * -Math.expm1(-(rest - used) / pause);
  }
  return (Math.min(rest, used) + older) / cycle;
}

/** Of the sessions active at the end of an outage, the share whose token is older than `limit`. */
function tokensOlder(limit, outage, [used, wait], burst, pause, cycle) {
  const young = Math.max(limit - outage, 0);
  let serve = activeTime(burst, pause, outage, outage + Math.min(young, used));
  if (young > used) {
    const active = activeAgain(burst, pause, used);
    const [asActive, asInactive] = kept(young - used, active, wait, burst, pause);
    const again = activeAgain(burst, pause, outage);
    serve += asActive * again + asInactive * activeBack(burst, pause, outage);
  }
  return clamp(1 - serve / (cycle * activeShare(burst, pause)), 0, 1);
}

/** The mean time for which an instance's keys are older than `age`, per fetch. */
function timeOlder(age, ttl, ahead, rotations) {
  const latest = ttl - ahead;
  const earliest = latest - ahead;
  const level = Math.max(earliest - age, 0);
  const time = Math.exp(-rotations * age) * level * meanDecay(rotations * level);
  const from = Math.max(age, earliest);
  const slope = latest - from;
  if (slope <= 0) return time;
  const falling = ((slope * slope) / ahead) * meanFallingDecay(rotations * slope);
  return time + Math.exp(-rotations * from) * falling;
}

/** The integral of e^(-x s) over s from 0 to 1. */
function meanDecay(x) {
  return x === 0 ? 1 : -Math.expm1(-x) / x;
}

/** The integral of (1 - s) e^(-x s) over s from 0 to 1: its series where the formula would cancel. */
function meanFallingDecay(x) {
  if (x < 1e-3) return 1 / 2 - x / 6 + (x * x) / 24 - (x * x * x) / 120;
  return (1 - meanDecay(x)) / x;
}

/** The share of instances without usable keys at the end of an outage. */
function keysEnded(outage, ttl, ahead, rotations, maxStale, restarted) {
  const left = ttl + maxStale - outage;
  const all = timeOlder(0, ttl, ahead, rotations);
  const old = left <= 0 ? 1 : timeOlder(left, ttl, ahead, rotations) / all;
  return 1 - (1 - old) * (1 - restarted);
}

/** Either of two independent losses, or both. */
function either(one, other) {
  return 1 - (1 - one) * (1 - other);
}

/** The probability that a session's next token needs a login, because the issuer ended it while idle. */
function endedWhileIdle(idle, used, wait, burst, pause) {
  const rest = idle - used;
  if (rest <= 0) return 1;
  const active = activeAgain(burst, pause, used);
  if (wait === 0) return pause === 0 ? 0 : (1 - active) * Math.exp(-rest / pause);
  const [fromActive, fromInactive] = unseen(rest, 1 / wait, burst, pause);
  return active * fromActive + (1 - active) * fromInactive;
}

/** Roots of `waiting.rs`, the nearer to zero first. */
function roots(theta, burst, pause) {
  const [lambda, mu] = [1 / burst, 1 / pause];
  const root = Math.sqrt((lambda + theta - mu) ** 2 + 4 * lambda * mu);
  const fast = -(lambda + theta + mu + root) / 2;
  return [(theta * mu) / fast, fast];
}

/** The probability that no request comes within `time`, of an active and of an inactive session. */
function unseen(time, theta, burst, pause) {
  if (pause === 0) return [Math.exp(-theta * time), Math.exp(-theta * time)];
  const [slow, fast] = roots(theta, burst, pause);
  const part = (-theta - fast) / (slow - fast);
  const slowly = part * Math.exp(slow * time);
  const quickly = (1 - part) * Math.exp(fast * time);
  const inactive = (of) => (of + 1 / burst + theta) * burst;
  return [slowly + quickly, slowly * inactive(slow) + quickly * inactive(fast)];
}

/** The mean time, up to `time`, for which a session keeps a due token: while active and while inactive. */
function kept(time, active, wait, burst, pause) {
  const inactive = 1 - active;
  if (wait === 0) return [0, pause === 0 ? 0 : inactive * pause * -Math.expm1(-time / pause)];
  if (pause === 0) return [wait * -Math.expm1(-time / wait), 0];
  const [fromActive, fromInactive] = unseen(time, 1 / wait, burst, pause);
  const asActive = wait * (1 - active * fromActive - inactive * fromInactive);
  const [slow, fast] = roots(1 / wait, burst, pause);
  const part = (active / burst - inactive / pause - fast * inactive) / (slow - fast);
  const left = part * Math.exp(slow * time) + (inactive - part) * Math.exp(fast * time);
  return [asActive, pause * (asActive / burst + inactive - left)];
}

/** The cores that compute password hashes: half of them, if the issuer is like the companion. */
function coresOfLogins(has, hashesOnHalf) {
  return hashesOnHalf ? Math.min(Math.max(Math.floor(has / 2), 1), has) : has;
}

/** The time that the issuer needs for work after an outage: all of it, and the logins on their cores. */
function recovery(work, cores, load) {
  const time = (of) => (cores[of] > load[of] ? work[of] / (cores[of] - load[of]) : Infinity);
  return work.logins > 0 ? Math.max(time('all'), time('logins')) : time('all');
}

/** The cores that the issuer needs: `sizing.rs`, restated. */
function coresFor(load, hashesOnHalf) {
  const need = Math.max(load.all / 0.7, hashesOnHalf ? 2 * load.logins : 0) - 1e-9;
  return hashesOnHalf ? 2 * Math.ceil(need / 2) : Math.ceil(need);
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

/** The smallest value, up to `most`, from which a monotonic condition holds. */
function bisect(most, holds) {
  let [low, high] = [0, most];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
