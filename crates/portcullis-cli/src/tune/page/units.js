// Durations and numbers as the command writes them: `units.rs`, restated.

/** A number with three significant digits. */
function number(value) {
  if (value === 0) return '0';
  if (!Number.isFinite(value)) return 'unlimited';
  const decade = (of) => Math.floor(Math.log10(Math.abs(of)));
  const scale = 10 ** (2 - decade(value));
  const rounded = Math.round(value * scale) / scale;
  const decimals = clamp(2 - decade(rounded), 0, 100);
  const text = rounded.toFixed(decimals);
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}

/** A duration with three digits and a unit that fits; from two minutes on in several. */
function duration(secs) {
  if (secs === 0) return '0 s';
  if (secs < 1e-6) return `${number(secs * 1e9)} ns`;
  if (secs < 1e-3) return `${number(secs * 1e6)} µs`;
  if (secs < 1) return `${number(secs * 1e3)} ms`;
  if (secs < 120 || !Number.isFinite(secs)) return `${number(secs)} s`;
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  let parts = units.slice(1, 4);
  if (secs >= 172800) parts = units.slice(0, 2);
  else if (secs >= 10800) parts = units.slice(1, 3);
  const least = parts[parts.length - 1][0];
  let left = Math.round(secs / least) * least;
  const words = [];
  for (const [unit, name] of parts) {
    const count = Math.floor(left / unit);
    left -= count * unit;
    if (count > 0) words.push(`${count} ${name}`);
  }
  return words.join(' ');
}

/** A share in percent; what is not quite all, or not quite nothing, says so. */
function percent(share) {
  const value = share * 100;
  if (value === 0) return '0 %';
  if (value < 0.001) return 'below 0.001 %';
  if (value < 100 && value > 99.9) return 'above 99.9 %';
  return `${number(value)} %`;
}
