// The settings of the page, each with the bounds of the command's option and the values of its slider. The
// address keeps them: `#expiry=300&ttl=60`.

const DURATIONS = [
  1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2700, 3600,
  5400, 7200, 10800, 14400, 21600, 28800, 43200, 86400, 172800, 259200, 604800,
];
const COUNTS = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700]
  .concat([1000, 1500, 2000, 3000, 5000, 7000].flatMap((of) => [of, of * 10, of * 100, of * 1000]))
  .concat([1e7, 2e7, 5e7, 1e8])
  .sort((one, other) => one - other)
  .filter((value, index, all) => value !== all[index - 1]);
const PERCENTS = [0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 90, 100];
const CORES = [0.1, 0.2, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/** The settings by name. `fanOut` is the least number of instances. A guarantee that the issuer does not
 * offer has no range. */
function settingsOf(fanOut, offers) {
  const seconds = (least, most) => ({ values: DURATIONS, least, most, show: duration });
  const count = (least, most) => ({ values: COUNTS, least, most, show: String, isWhole: true });
  const share = (offered) => ({
    values: PERCENTS,
    least: 0,
    most: offered === false ? 0 : 100,
    show: (value) => (offered === false ? 'not offered' : `${number(value)} %`),
  });
  const settings = {
    expiry: seconds(1, 86400),
    ttl: seconds(1, 86400),
    sessions: count(1, 1e8),
    instances: count(fanOut, 1e6),
    every: { ...seconds(0.001, 86400), values: [0.01, 0.1, 0.2, 0.5, ...DURATIONS] },
    burst: seconds(1, 604800),
    pause: { ...seconds(0, 604800), show: (of) => (of === 0 ? 'none: always active' : duration(of)) },
    outage: seconds(1, 604800),
    stale: seconds(0, 604800),
    cores: { values: CORES, least: 0, most: 1e6, show: number },
    live: share(offers.introspection),
    list: share(offers.status_lists),
    feed: share(offers.backchannel_logout === true),
    age: seconds(3, 86400),
  };
  for (const setting of Object.values(settings)) {
    const { least, most } = setting;
    const within = setting.values.filter((value) => value > least && value < most);
    const ends = most > least && most <= setting.values.at(-1) ? [most] : [];
    setting.values = [least, ...within, ...ends];
  }
  return settings;
}

/** Reads the fragment of an address: the values within bounds, and the names of the others. */
function readFragment(fragment, settings) {
  const values = {};
  const wrong = [];
  for (const pair of fragment.replace(/^#/, '').split('&').filter((part) => part !== '')) {
    const [name, text, ...more] = pair.split('=');
    const setting = Object.hasOwn(settings, name) ? settings[name] : null;
    const isNumber = more.length === 0 && /^\d{1,12}(\.\d{1,9})?$/.test(text ?? '');
    const value = Number(text);
    const fits =
      setting !== null &&
      isNumber &&
      value >= setting.least &&
      value <= setting.most &&
      !(setting.isWhole && !Number.isInteger(value));
    if (fits && !Object.hasOwn(values, name)) values[name] = value;
    else wrong.push(setting === null ? 'an unknown name' : name);
  }
  return { values, wrong };
}

/** Writes the fragment of an address. */
function writeFragment(values, settings) {
  const names = Object.keys(settings).filter((name) => Object.hasOwn(values, name));
  const pairs = names.map((name) => `${name}=${plain(values[name])}`);
  return `#${pairs.join('&')}`;
}

/** Without an exponent, and with the decimals that `readFragment` accepts. */
function plain(value) {
  return value.toFixed(9).replace(/\.?0+$/, '');
}

/** Limits the shares of the routes to 100 %: those that were not changed are lowered. */
function withinAll(values, touched) {
  const within = { ...values };
  for (const name of ['live', 'feed', 'list'].filter((share) => share !== touched)) {
    const excess = within.live + within.list + within.feed - 100;
    if (excess > 0) within[name] = Math.max(within[name] - excess, 0);
  }
  return within;
}
