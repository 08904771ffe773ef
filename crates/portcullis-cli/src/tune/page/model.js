// The figures of a scenario, with the names of --json: `model.rs`, `load.rs` and `mechanisms.rs`, restated.

/** The scenario with the values of the sliders. */
function withSettings(start, values) {
  const { expiry, ttl, stale, sessions, instances, burst, pause, every, outage, cores } = values;
  return {
    ...start.scenario,
    access_expiry: expiry,
    verifier: { ...withTtl(start.scenario.verifier, ttl, start.jwks_max_age), max_stale: stale },
    sessions,
    instances,
    activity: { request_every: every, burst, pause },
    outage,
    issuer_cores: cores,
  };
}

/** The instances' settings with another TTL, and the default `refresh_ahead` that follows from it. */
function withTtl(verifier, ttl, maxAge) {
  const ahead = (of) => Math.min(of / 10, 30);
  const isDefault = verifier.refresh_ahead === ahead(verifier.jwks_ttl);
  return {
    ...verifier,
    jwks_ttl: ttl,
    used_ttl: maxAge > 0 ? clamp(maxAge, Math.min(10, ttl), ttl) : ttl,
    refresh_ahead: isDefault ? ahead(ttl) : Math.min(verifier.refresh_ahead, ttl),
  };
}

/** All figures of a scenario, and functions for the plots. */
function modelOf(scenario) {
  const { access_expiry: expiry, verifier, activity, costs, outage } = scenario;
  const { burst, pause } = activity;
  const isTimer = scenario.habit === 'timer';
  const accepted = expiry + verifier.leeway;
  const used = isTimer ? Math.max(expiry - scenario.refresh_early, expiry / 2) : accepted;
  const wait = isTimer ? 0 : activity.request_every;
  const due = [used, wait];
  const cycle = refreshCycle(used, wait, burst, pause);
  const ahead = Math.min(verifier.refresh_ahead, verifier.used_ttl / 3);
  const active = scenario.sessions * activeShare(burst, pause);
  const rotations = scenario.rotations_per_day / 86400;
  const lost = scenario.kept_keys ? 0 : scenario.restarted;

  const exceeds = (lag) => lagExceeds(lag, accepted, used, burst, pause, cycle);
  const all = exceeds(0);
  const quantile = (share) => bisect(accepted, (lag) => exceeds(lag) <= (1 - share) * all);
  const tokensEnded = (time) => tokensOlder(accepted, time, due, burst, pause, cycle);
  const keysGone = (time) => {
    const { used_ttl: ttl, max_stale: stale } = verifier;
    const ended = keysEnded(time, ttl, ahead, rotations, stale, lost);
    return 1 - (1 - ended) ** scenario.fan_out;
  };
  const lockedOut = (time) => either(tokensEnded(time), keysGone(time));
  const refreshes = scenario.sessions / cycle;
  const fetches = scenario.instances / timeOlder(0, verifier.used_ttl, ahead, rotations);
  const idle = scenario.session_idle;
  const idleLogins = idle == null ? 0 : refreshes * endedWhileIdle(idle, used, wait, burst, pause);
  const issuerCores =
    (refreshes - idleLogins) * costs.refresh + idleLogins * costs.login + fetches * costs.fetch;
  const waiting = active * tokensOlder(used, outage, due, burst, pause, cycle);
  const loggingIn =
    idle == null ? 0 : active * tokensOlder(Math.max(idle, used), outage, due, burst, pause, cycle);
  const loginWork = loggingIn * costs.login;
  const work = { all: (waiting - loggingIn) * costs.refresh + loginWork, logins: loginWork };
  const { issuer_cores: has, hashes_on_half: hashesOnHalf } = scenario;
  const cores = { all: has, logins: coresOfLogins(has, hashesOnHalf) };
  const loadOf = (all) => ({ all, logins: idleLogins * costs.login });
  const servedBeside = (all) => recovery(work, cores, loadOf(all));
  return {
    lag_bound: expiry + 2 * verifier.leeway,
    lag_longest: accepted,
    without_lag: 1 - all,
    lag_median: quantile(0.5),
    lag_p99: quantile(0.99),
    refreshes,
    idle_logins: idleLogins,
    fetches,
    issuer_cores: issuerCores,
    key_lag_bound: verifier.jwks_ttl + 2 * verifier.fetch_timeout + 1.1,
    key_lag_bound_in_outage: verifier.jwks_ttl + verifier.max_stale,
    tokens_ended: tokensEnded(outage),
    keys_ended: keysGone(outage),
    locked_out: lockedOut(outage),
    waiting,
    logging_in: loggingIn,
    recovery: servedBeside(issuerCores),
    validations: active / (activity.request_every / scenario.fan_out),
    due,
    exceeds,
    lockedOut,
    servedBeside,
    sizedFor: (all) => coresFor(loadOf(all), hashesOnHalf),
  };
}

/** The bound and the cost of each guarantee that a route can require. */
function mechanismsOf(scenario, model, guarantees, start) {
  const { offers, pushes, reuse_for: reuse, feed_max_age: feedAge } = start;
  const maxAge = guarantees.age;
  const requests = model.refreshes + model.fetches;
  const expiry = {
    key: 'expiry',
    lag_bound: model.lag_bound,
    usual_lag: model.lag_median,
    issuer_requests: requests,
    issuer_cores: model.issuer_cores,
    locked_out: model.locked_out,
    in_partition: model.keys_ended,
  };
  const publication = 0.1;
  const tooOld = (oldest) => clamp((scenario.outage - maxAge + oldest) / oldest, 0, 1);
  const list = (key, usual, oldest, questions) => ({
    key,
    lag_bound: Math.min(maxAge + publication, expiry.lag_bound),
    usual_lag: Math.min(usual, expiry.usual_lag),
    issuer_requests: requests + questions,
    issuer_cores: expiry.issuer_cores + questions * scenario.costs.fetch,
    locked_out: either(expiry.locked_out, tooOld(oldest)),
    in_partition: either(expiry.in_partition, tooOld(oldest)),
  });
  const interval = clamp(maxAge / 2, 1, 60) * 0.95;
  const polled = list('polled', interval / 2, interval, scenario.instances / interval);
  const wait = clamp(Math.floor(maxAge / 3), 1, 60);
  const publications = Math.min(scenario.revocations_per_day / 86400, 1 / publication);
  const questions = scenario.instances * (1 / wait + publications);
  const usuallyPushed = 0.0644;
  const pushed = list('pushed', usuallyPushed, wait, questions);
  const introspected = (key, lag, less) => ({
    key,
    lag_bound: Math.min(lag, expiry.lag_bound),
    usual_lag: Math.min(lag, expiry.usual_lag),
    issuer_requests: requests + less * model.validations,
    issuer_cores: expiry.issuer_cores + less * model.validations * scenario.costs.lookup,
    locked_out: 1,
    in_partition: 1,
  });
  const reused = (share) =>
    introspected('reused', reuse, introspections(scenario, model, share, reuse) / (share * model.validations));
  const asked = introspected('asked', 0, 1);
  const feed = {
    ...expiry,
    key: 'feed',
    lag_bound: Math.min(feedAge, expiry.lag_bound),
    usual_lag: Math.min(0.5, expiry.usual_lag),
  };
  const all = [expiry];
  if (offers.status_lists !== false) all.push(polled, pushed);
  if (offers.introspection !== false) all.push(asked, ...(reuse == null ? [] : [reused(1)]));
  if (offers.backchannel_logout === true) all.push(feed);
  const live = reuse == null ? asked : reused(guarantees.live > 0 ? guarantees.live / 100 : 1);
  const mix = together({ expiry, list: pushes ? pushed : polled, feed, live }, guarantees);
  return mix ? [...all, mix] : all;
}

/** Introspections per second of routes with this share of the requests that reuse a response: `reuse.rs`. */
function introspections(scenario, model, share, reuse) {
  const { burst, pause, request_every: every } = scenario.activity;
  const { instances } = scenario;
  const active = scenario.sessions * activeShare(burst, pause);
  const between = (every / scenario.fan_out / share) * instances;
  const windows = (active * instances) / (between + activeTime(burst, pause, 0, reuse));
  const seen = instances * (1 - unseen(model.due[0], 1 / between, burst, pause)[0]);
  return Math.max(windows, model.refreshes * seen);
}

/** All routes together, by their shares of the requests; the other requests rely on the expiry. */
function together({ expiry, list, feed, live }, guarantees) {
  const [lived, listed, fed] = [guarantees.live / 100, guarantees.list / 100, guarantees.feed / 100];
  if (lived + listed + fed === 0) return null;
  const shares = [[Math.max(1 - lived - listed - fed, 0), expiry], [listed, list], [fed, feed], [lived, live]];
  const fetched = listed > 0 ? 1 : 0;
  const beside = (of) =>
    expiry[of] + fetched * (list[of] - expiry[of]) + lived * (live[of] - expiry[of]);
  const overAll = (of) => Math.max(...shares.map(([share, kind]) => (share > 0 ? kind[of] : 0)));
  const weighted = (of) => shares.reduce((sum, [share, kind]) => sum + share * kind[of], 0);
  return {
    key: 'routes',
    lag_bound: overAll('lag_bound'),
    usual_lag: overAll('usual_lag'),
    issuer_requests: beside('issuer_requests'),
    issuer_cores: beside('issuer_cores'),
    locked_out: weighted('locked_out'),
    in_partition: weighted('in_partition'),
  };
}

/** The cores of the issuer for refreshes, fetches and the guarantees of the routes. */
function usualCores(mechanisms) {
  return (mechanisms.find((of) => of.key === 'routes') ?? mechanisms[0]).issuer_cores;
}

/** The tiers of `tiers.rs`: the bound of a `max_token_age`, and its cost if a tenth or all of the sessions
 * use it. */
function tiersOf(start, values) {
  const base = modelOf(withSettings(start, values));
  const byShare = (all, one) => [one + 0.1 * (all - one), all];
  const ages = [60, 300, 900].filter((age) => age < values.expiry);
  return [...ages, null].map((age) => {
    const of = age === null ? base : modelOf(withSettings(start, { ...values, expiry: age }));
    return {
      age,
      lag_bound: of.lag_bound,
      refreshes: byShare(of.refreshes, base.refreshes),
      issuer_cores: byShare(of.issuer_cores, base.issuer_cores),
      locked_out: of.locked_out,
    };
  });
}
