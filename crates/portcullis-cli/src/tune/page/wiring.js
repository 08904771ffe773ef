// From the sliders and the address to the figures and the plots.

const { model: start, compared_expiry: compared } = JSON.parse(byId('start').textContent);
const settings = settingsOf(start.scenario.fan_out, start.offers);
const first = modelOf(withSettings(start, { ...start.values, expiry: comparedExpiry() }));
let values = { ...start.values };

function comparedExpiry() {
  return compared ?? start.values.expiry;
}

function byId(id) {
  return document.getElementById(id);
}

function say(id, text) {
  byId(id).textContent = text;
}

/** The position on a slider that is nearest to a value. */
function nearest(all, value) {
  const distances = all.map((one) => Math.abs(Math.log((one + 0.01) / (value + 0.01))));
  return distances.indexOf(Math.min(...distances));
}

function showControls() {
  for (const [name, setting] of Object.entries(settings)) {
    const input = byId(name);
    const text = setting.show(values[name]);
    input.max = String(setting.values.length - 1);
    input.disabled = setting.values.length === 1;
    input.value = String(nearest(setting.values, values[name]));
    input.setAttribute('aria-valuetext', text);
    say(`${name}-value`, text);
  }
}

/** Cores of the issuer, marked if it has fewer. */
function marked(cores) {
  return `${number(cores)}${cores > values.cores ? ' !' : ''}`;
}

function showFigures(model, mechanisms) {
  const rate = (of) => `${number(of)} per second`;
  say('lag_bound', duration(model.lag_bound));
  say('without_lag', percent(model.without_lag));
  say('lag_median', `median ${duration(model.lag_median)}; 99th percentile ${duration(model.lag_p99)}`);
  const inOutage = duration(model.key_lag_bound_in_outage);
  say('key_lag_bound', `${duration(model.key_lag_bound)}; in an outage ${inOutage}`);
  const logins = start.scenario.session_idle == null ? '' : `; ${number(model.idle_logins)} of them logins`;
  say('refreshes', rate(model.refreshes) + logins);
  say('fetches', rate(model.fetches));
  say('issuer_cores', `${marked(model.issuer_cores)} cores`);
  const [tokens, keys] = [percent(model.tokens_ended), percent(model.keys_ended)];
  say('locked_out', `${percent(model.locked_out)} (tokens expired: ${tokens}; keys expired: ${keys})`);
  const served = model.servedBeside(usualCores(mechanisms));
  const time = Number.isFinite(served)
    ? `served after ${duration(served)}`
    : usualCores(mechanisms) < values.cores
      ? 'never: the usual logins need all cores that hash passwords'
      : 'never: refreshes, fetches and your routes need all cores';
  say('sizing', `${number(model.sizedFor(usualCores(mechanisms)))} cores`);
  say('waiting', `${number(model.waiting)} sessions; ${time}`);
}

function guaranteeNames() {
  const age = duration(values.age);
  const services = start.scenario.fan_out;
  const each = services > 1 ? ` by each of ${services} services` : '';
  const kinds = [[values.live, 'introspection'], [values.list, 'a status list'], [values.feed, 'the feed']];
  const routes = kinds.filter(([share]) => share > 0).map(([share, what]) => `${number(share)} % ${what}`);
  return {
    expiry: 'the expiry of the token: Revocation::expiry()',
    polled: `a status list, at most ${age} old, polled: Revocation::status_list(…)`,
    pushed: `a status list, at most ${age} old, pushed: Revocation::status_list(…)`,
    asked: `introspection of each request${each}: Revocation::live()`,
    reused: `introspection${each}, a response reused for ${duration(start.reuse_for ?? 0)} on all such routes: live().reuse_for(…)`,
    feed: `the feed of reported logouts, at most ${duration(start.feed_max_age)} old: Revocation::feed(…)`,
    routes: `your routes: ${routes.join(', ')}`,
  };
}

function showGuarantees(mechanisms) {
  const names = guaranteeNames();
  const columns = ['guarantee', 'lag bound', 'median lag', 'issuer requests/s', 'issuer cores', 'locked out']
    .concat(['in a partition']);
  const rows = mechanisms.map((of) => [
    names[of.key],
    duration(of.lag_bound),
    duration(of.usual_lag),
    number(of.issuer_requests),
    marked(of.issuer_cores),
    percent(of.locked_out),
    percent(of.in_partition),
  ]);
  byId('guarantees').replaceChildren(tableOf(columns, rows));
}

function showTiers() {
  const columns = ['setting of the route', 'accepted for at most', 'refreshes/s (10 % of sessions)'].concat([
    'refreshes/s (all)', 'issuer cores (10 %)', 'issuer cores (all)', 'locked out',
  ]);
  const rows = tiersOf(start, values).map((of) => [
    of.age === null ? 'none: the expiry' : `max_token_age(${of.age} s)`,
    duration(of.lag_bound),
    ...of.refreshes.map(number),
    ...of.issuer_cores.map(marked),
    percent(of.locked_out),
  ]);
  byId('tiers').replaceChildren(tableOf(columns, rows));
}

/** The values of a slider that a plot shows, with the current one. */
function around(all, value) {
  return [...new Set([...all, value])].sort((one, other) => one - other);
}

function showPlots(scenario, model) {
  const now = `expiry ${duration(values.expiry)}, these settings`;
  const then = `expiry ${duration(comparedExpiry())}, ${compared == null ? 'as on the command line' : 'of --vs-access-expiry'}`;
  const longest = Math.max(model.lag_longest, first.lag_longest);
  const lag = durationAxis('time since the revocation', longest);
  drawPlot(byId('plot-lag'), {
    x: lag,
    yOf: () => shareAxis('share of revoked sessions'),
    lines: [{ name: now, at: model.exceeds }, { name: then, at: first.exceeds }],
    rows: samples(lag, 20),
  });

  const expiries = [30, 60, 120, 300, 600, 900, 1800, 3600];
  const set = clamp(values.expiry, 1, 86400);
  if (set < 30) expiries.unshift(...[1, 5, 10].filter((one) => one <= set || one === 10));
  if (set > 3600) expiries.push(7200, 14400, 28800, 86400);
  const byExpiry = { name: 'access expiry', marks: expiries, show: duration, log: true };
  const within = DURATIONS.filter((one) => one >= expiries[0] && one <= expiries.at(-1));
  const rows = around(within, values.expiry);
  const mark = { value: values.expiry, name: `current expiry: ${duration(values.expiry)}` };
  const withExpiry = (expiry) => withSettings(start, { ...values, expiry });
  const alwaysActive = (expiry) => withSettings(start, { ...values, expiry, pause: 0 });
  drawPlot(byId('plot-refreshes'), {
    x: byExpiry,
    yOf: (all) => decadeAxis('refreshes/s', all),
    lines: [
      { name: 'these bursts', at: (expiry) => modelOf(withExpiry(expiry)).refreshes },
      { name: 'always active', at: (expiry) => modelOf(alwaysActive(expiry)).refreshes },
    ],
    rows,
    mark,
  });

  // The axis ends where nearly all sessions are locked out.
  const lost = (of) => bisect(1e6, (outage) => of.lockedOut(outage) >= 0.995);
  const most = 1.25 * Math.max(lost(model), lost(first), values.outage);
  const outages = durationAxis('time without the issuer', most);
  drawPlot(byId('plot-lockout'), {
    x: outages,
    yOf: () => shareAxis('share of active sessions'),
    lines: [{ name: now, at: model.lockedOut }, { name: then, at: first.lockedOut }],
    rows: around(samples(outages, 20), values.outage),
    mark: { value: values.outage, name: `current outage: ${duration(values.outage)}` },
  });

  const cores = (expiry, key) => {
    const other = withExpiry(expiry);
    const all = mechanismsOf(other, modelOf(other), values, start);
    return all.find((of) => of.key === key).issuer_cores;
  };
  const lines = [{ name: 'refreshes and fetches', at: (expiry) => cores(expiry, 'expiry') }];
  if (values.live + values.list + values.feed > 0) {
    lines.push({ name: 'with the guarantees of your routes', at: (expiry) => cores(expiry, 'routes') });
  }
  if (values.cores > 0) lines.push({ name: 'cores of the issuer', at: () => values.cores });
  drawPlot(byId('plot-cores'), {
    x: byExpiry,
    yOf: (all) => decadeAxis('cores', all),
    lines,
    rows,
    mark,
  });
}

function summary(model, mechanisms) {
  const routes = mechanisms.find((of) => of.key === 'routes') ?? mechanisms[0];
  const ofWhom = routes.key === 'routes' ? ', with your routes' : '';
  return (
    `Lag at most ${duration(model.lag_bound)} · ${number(model.refreshes)} refreshes/s · ` +
    `${percent(routes.locked_out)} locked out by ${duration(values.outage)} · ` +
    `${marked(routes.issuer_cores)} issuer cores${ofWhom}, without a login peak`
  );
}

function render() {
  const scenario = withSettings(start, values);
  const model = modelOf(scenario);
  const mechanisms = mechanismsOf(scenario, model, values, start);
  showControls();
  showFigures(model, mechanisms);
  showGuarantees(mechanisms);
  showTiers();
  showPlots(scenario, model);
  say('summary', summary(model, mechanisms));
}

function notice(text) {
  byId('notice').hidden = text === '';
  say('notice', text);
}

function readAddress() {
  const { values: found, wrong } = readFragment(location.hash, settings);
  values = withinAll({ ...start.values, ...found });
  const names = [...new Set(wrong)].join(', ');
  notice(names && `Ignored in the address, unknown or out of bounds: ${names}.`);
  render();
}

function writeAddress(fragment) {
  try {
    history.replaceState(null, '', fragment);
  } catch {
    notice('This viewer prevents the page from keeping its settings in the address.');
  }
}

for (const [name, setting] of Object.entries(settings)) {
  const input = byId(name);
  input.min = '0';
  input.addEventListener('input', () => {
    values = withinAll({ ...values, [name]: setting.values[Number(input.value)] }, name);
    render();
  });
  // When a slider is released: browsers limit how often an address may change.
  input.addEventListener('change', () => writeAddress(writeFragment(values, settings)));
}
document.querySelector('.controls').addEventListener('reset', (event) => {
  event.preventDefault();
  values = { ...start.values };
  writeAddress('#');
  notice('');
  render();
});
window.addEventListener('hashchange', readAddress);
let width = 0;
new ResizeObserver(() => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  render();
}).observe(document.documentElement);
readAddress();
