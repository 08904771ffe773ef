// Checks the reports in a browser: widths, text sizes, values, and the page's sliders.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './chromium.mjs';

const { CHROMIUM, PROFILE, PICTURES } = process.env;
const [tool, ...reports] = process.argv.slice(2);

// Ends a run that hangs.
setTimeout(() => {
  console.error('not finished within 2 minutes');
  process.exit(1);
}, 120_000).unref();

const browser = await launch(CHROMIUM, PROFILE);

const LAYOUT = `
  const shown = (node) => node.getClientRects().length > 0;
  const small = [], touching = [];
  for (const svg of [...document.querySelectorAll('.drawing svg')].filter(shown)) {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll('text')];
    for (const text of texts) {
      const size = parseFloat(getComputedStyle(text).fontSize) * scale;
      if (size < 12) small.push(text.textContent + ' ' + size);
    }
    texts.forEach((one, at) => texts.slice(at + 1).forEach((other) => {
      const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
      const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      if (!apart) touching.push(one.textContent + ' | ' + other.textContent);
    }));
    for (const text of texts) {
      const [a, b] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
      if (a.left < b.left - 1 || a.right > b.right + 1) touching.push('edge: ' + text.textContent);
    }
  }
  const other = [...document.querySelectorAll('main *')].filter((node) =>
    shown(node) && parseFloat(getComputedStyle(node).fontSize) < 12);
  return {
    width: document.documentElement.scrollWidth,
    small: small.concat(other.map((node) => node.outerHTML.slice(0, 80))),
    touching,
    broken: [...document.querySelectorAll('.option')].filter((node) => node.getClientRects().length > 1)
      .map((node) => node.textContent),
    plots: document.querySelectorAll('.plot').length,
    back: getComputedStyle(document.body).backgroundColor,
    text: getComputedStyle(document.body).color,
  };`;

/** How much brighter one is than the other: the contrast of WCAG. */
function contrast(one, other) {
  const luminance = (color) => {
    const [r, g, b] = color.match(/\d+/g).map((of) => {
      const share = of / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

const backs = new Set();
for (const file of [tool, ...reports]) {
  for (const [width, scheme] of [[360, 'light'], [360, 'dark'], [1200, 'light'], [1200, 'dark']]) {
    const page = await browser.page(width, 900, scheme);
    await page.open(pathToFileURL(file).href);
    const of = `${basename(file)} at ${width} px, ${scheme}`;
    const layout = await page.evaluate(LAYOUT);
    assert.ok(layout.width <= width, `${of}: ${layout.width} px wide`);
    assert.deepEqual(layout.small, [], `${of}: text below 12 px`);
    assert.deepEqual(layout.touching, [], `${of}: labels that touch`);
    assert.deepEqual(layout.broken, [], `${of}: options that break at a hyphen`);
    assert.ok(layout.plots > 0, of);
    assert.ok(contrast(layout.back, layout.text) > 7, `${of}: ${layout.text} on ${layout.back}`);
    backs.add(layout.back);

    const values = `return document.querySelector('.plot .values').textContent;`;
    const hint = await page.evaluate(values);
    await page.evaluate(`document.querySelector('.plot .drawing').focus();`);
    await page.press('ArrowRight');
    const second = await page.evaluate(values);
    await page.press('End');
    const last = await page.evaluate(values);
    assert.equal(new Set([hint, second, last]).size, 3, `${of}: ${hint}, ${second}, ${last}`);
    await page.evaluate(`document.activeElement.blur();`);
    assert.equal(await page.evaluate(values), hint, of);
    const [x, y] = await page.evaluate(`
      const drawing = document.querySelector('.plot .drawing');
      drawing.scrollIntoView({ block: 'center', behavior: 'instant' });
      const box = drawing.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + box.height / 2];`);
    await page.point(x, y);
    const pointed = await page.evaluate(values);
    assert.ok(![hint, last].includes(pointed) && pointed.includes(' – '), `${of}: ${pointed}`);
    await page.point(0, 0);
    await page.evaluate('scrollTo(0, 0);');
    if (PICTURES) {
      const name = `${basename(file, '.html')}-${width}-${scheme}.png`;
      writeFileSync(join(PICTURES, name), await page.picture());
    }
    assert.deepEqual(page.wrong, [], of);
    await page.close();
    console.log(`ok: ${of}`);
  }
}
assert.equal(backs.size, 2, 'light and dark differ');

const page = await browser.page(1200, 900, 'light');
const url = pathToFileURL(tool).href;
const text = (id) => page.evaluate(`return document.getElementById('${id}').textContent;`);
const hash = () => page.evaluate('return location.hash;');
await page.open(url);
assert.equal(await hash(), '');
const before = await text('lag_bound');
await page.evaluate(`document.getElementById('expiry').focus();`);
await page.press('ArrowLeft');
const after = await text('lag_bound');
assert.notEqual(after, before);
const link = await hash();
assert.match(link, /^#expiry=\d+&ttl=\d+&/);
// The link restores the settings in another tab.
await page.open(url + link);
assert.equal(await text('lag_bound'), after);
await page.evaluate(`document.querySelector('button').click();`);
assert.equal(await text('lag_bound'), before);
await page.open(`${url}#expiry=60&ttl=30&pause=0`);
assert.equal(await text('expiry-value'), '60 s');
assert.equal(await text('pause-value'), 'none: always active');
// A malicious link changes nothing and injects no markup.
await page.open(`${url}#expiry=%3Cimg%20src=x%3E&sessions=-1&<script>=1`);
assert.equal(await text('lag_bound'), before);
assert.match(await text('notice'), /out of bounds: expiry, sessions, an unknown name\./);
assert.equal(await page.evaluate(`return document.querySelectorAll('img, #notice *').length;`), 0);
// The two shares are limited to 100 % in total.
await page.open(`${url}#live=70&list=60`);
assert.equal(await text('live-value'), '40 %');
assert.equal(await text('list-value'), '60 %');
// A load above the cores is marked in its cells.
const marks = (id) =>
  page.evaluate(`return [...document.querySelectorAll('#${id} td')].map((cell) => cell.textContent)
    .filter((text) => text.endsWith(' !')).length;`);
await page.open(`${url}#sessions=10&cores=64`);
assert.deepEqual([await marks('guarantees'), await marks('tiers')], [0, 0]);
assert.equal(await text('sizing'), '2 cores');
await page.open(`${url}#sessions=50000000&cores=0.1`);
assert.deepEqual([await marks('guarantees'), await marks('tiers')], [5, 6]);
assert.match(await text('summary'), /[0-9] ! issuer cores/);
assert.match(await text('issuer_cores'), /[0-9] ! cores/);
assert.deepEqual(page.wrong, []);
console.log('ok: sliders and links');

// With each slider at either end, every figure is finite and readable.
const phone = await browser.page(360, 900, 'light');
const names = await page.evaluate('return Object.keys(settings);');
const ends = names.flatMap((name) => [[name, 0], [name, -1]]);
for (const [name, end] of ends) {
  const value = await page.evaluate(`return settings['${name}'].values.at(${end});`);
  const link = `#live=5&list=20&${name}=${value}`.replace(`${name}=5&`, '').replace(`${name}=20&`, '');
  await phone.open(url + link);
  const layout = await phone.evaluate(LAYOUT);
  assert.ok(layout.width <= 360, `${link}: ${layout.width} px wide`);
  assert.deepEqual([layout.small, layout.touching], [[], []], link);
  const text = await phone.evaluate(`return document.querySelector('main').innerText +
    [...document.querySelectorAll('polyline')].map((line) => line.getAttribute('points'));`);
  assert.doesNotMatch(text, /NaN|undefined|Infinity/, link);
  assert.ok(await phone.evaluate(`return document.getElementById('notice').hidden;`), link);
}
assert.deepEqual(phone.wrong, []);
console.log('ok: the ends of all sliders');
await browser.close();
