// Plots, drawn at the available width, so text is never scaled.

const SVG = 'http://www.w3.org/2000/svg';
const TEXT = 13;

function element(name, attributes = {}, text = '') {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.textContent = text;
  return node;
}

function html(name, attributes = {}, ...content) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.append(...content);
  return node;
}

/** Durations from zero, with marks at round ones. */
function durationAxis(name, most) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800]
    .concat([86400, 172800]);
  const step = steps.find((one) => one * 6 >= most) ?? most / 6;
  const count = Math.ceil(most / step);
  const marks = Array.from({ length: count + 1 }, (_, at) => at * step);
  return { name, marks, show: duration, log: false };
}

function shareAxis(name) {
  return { name, marks: [0, 0.25, 0.5, 0.75, 1], show: percent, log: false };
}

/** Powers of ten around the values. */
function decadeAxis(name, values) {
  const some = values.filter((value) => value > 0);
  const least = some.length ? Math.floor(Math.log10(Math.min(...some))) : 0;
  const most = some.length ? Math.ceil(Math.log10(Math.max(...some))) : 1;
  const marks = [];
  for (let power = least; power <= Math.max(most, least + 1); power += 1) marks.push(10 ** power);
  return { name, marks, show: number, log: true };
}

/** The position of a value on an axis, from 0 to 1. */
function placeOf(axis, value) {
  const scale = (of) => (axis.log ? Math.log(Math.max(of, 1e-9)) : of);
  const [least, most] = [scale(axis.marks[0]), scale(axis.marks.at(-1))];
  return clamp((scale(value) - least) / (most - least), 0, 1);
}

/** Between the ends of an axis, evenly as it is drawn. */
function samples(axis, count) {
  const [least, most] = [axis.marks[0], axis.marks.at(-1)];
  return Array.from({ length: count + 1 }, (_, at) =>
    axis.log ? least * (most / least) ** (at / count) : least + ((most - least) * at) / count,
  );
}

/** Draws lines, which are functions of x, and writes their values at `rows` beside them. */
function drawPlot(figure, { x, yOf, lines, rows, mark }) {
  const across = [...samples(x, 160), ...rows].sort((one, other) => one - other);
  const points = lines.map((line) => across.map((at) => [at, line.at(at)]));
  const y = yOf(points.flat().map((point) => point[1]));
  const drawing = figure.querySelector('.drawing');
  drawing.replaceChildren(svgOf(Math.max(drawing.clientWidth, 240), x, y, points, mark));
  const names = lines.map((line, at) => legendItem(`line-${at}`, line.name));
  if (mark) names.push(legendItem('mark', mark.name));
  figure.querySelector('.legend').replaceChildren(...names);
  figure.querySelector('.table').replaceChildren(valuesOf(x, y, lines, rows));
  figure.dispatchEvent(new Event('redrawn'));
}

function svgOf(width, x, y, points, mark) {
  const height = width < 480 ? 250 : 300;
  const widthOf = (text) => text.length * TEXT * 0.64;
  const widest = Math.max(...y.marks.map((value) => widthOf(y.show(value))));
  const [left, right, top, foot] = [Math.max(widest + 10, 24), width - 12, 30, height - 52];
  const acrossOf = (value) => left + placeOf(x, value) * (right - left);
  const upOf = (value) => foot - placeOf(y, value) * (foot - top);
  const svg = element('svg', {
    viewBox: `0 0 ${width} ${height}`, 'data-left': left, 'data-right': right, 'aria-hidden': true,
  });
  let free = -Infinity;
  for (const value of x.marks) {
    const at = acrossOf(value);
    svg.append(element('line', { class: 'grid', x1: at, x2: at, y1: top, y2: foot }));
    const text = x.show(value);
    const half = widthOf(text) / 2;
    const middle = clamp(at, half, width - half);
    // A label that would touch the previous one is left out; its line stays.
    if (middle - half < free) continue;
    free = middle + half + 8;
    svg.append(element('text', { x: middle, y: foot + 22, 'text-anchor': 'middle' }, text));
  }
  free = Infinity;
  for (const value of y.marks) {
    const at = upOf(value);
    svg.append(element('line', { class: 'grid', x1: left, x2: right, y1: at, y2: at }));
    if (at > free) continue;
    free = at - TEXT - 4;
    svg.append(
      element('text', { x: left - 6, y: at + 4.5, 'text-anchor': 'end' }, y.show(value)),
    );
  }
  svg.append(
    element('text', { class: 'axis', x: 0, y: 14 }, y.name),
    element('text', { class: 'axis', x: right, y: height - 6, 'text-anchor': 'end' }, x.name),
  );
  if (mark) {
    const at = acrossOf(mark.value);
    svg.append(element('line', { class: 'mark', x1: at, x2: at, y1: top, y2: foot }));
  }
  points.forEach((line, kind) => {
    const places = line.map(([a, b]) => `${acrossOf(a).toFixed(1)},${upOf(b).toFixed(1)}`);
    svg.append(element('polyline', { class: `line-${kind}`, points: places.join(' ') }));
  });
  svg.append(element('line', { class: 'cursor', x1: left, x2: left, y1: top, y2: foot }));
  return svg;
}

function legendItem(kind, name) {
  const svg = element('svg', { viewBox: '0 0 28 10', 'aria-hidden': true });
  svg.append(element('line', { class: kind, x1: 0, x2: 28, y1: 5, y2: 5 }));
  return html('li', {}, svg, name);
}

/** The table that the cursor of the plot reads. */
function valuesOf(x, y, lines, rows) {
  return tableOf(
    [x.name, ...lines.map((line) => line.name)],
    rows.map((at) => [x.show(at), ...lines.map((line) => y.show(line.at(at)))]),
    rows.map((at) => ({ 'data-place': placeOf(x, at) })),
  );
}

/** A table of text, which becomes blocks on a narrow screen; see `document.rs`. */
function tableOf(columns, rows, attributes = []) {
  const head = html('tr', { role: 'row' });
  for (const name of columns) {
    head.append(html('th', { role: 'columnheader', scope: 'col' }, name));
  }
  const body = html('tbody');
  rows.forEach((row, index) => {
    const line = html('tr', { role: 'row', ...attributes[index] });
    row.forEach((cell, at) => {
      const kind = { role: at ? 'cell' : 'rowheader' };
      if (at) kind['data-name'] = columns[at];
      else kind.scope = 'row';
      line.append(html(at ? 'td' : 'th', kind, cell));
    });
    body.append(line);
  });
  return html('table', { role: 'table' }, html('thead', {}, head), body);
}
