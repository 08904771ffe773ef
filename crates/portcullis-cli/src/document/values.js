// Shows the values of a plot at the pointer, or at the position chosen with the arrow keys. The
// values come from the table below the plot.
for (const figure of document.querySelectorAll('.plot')) {
  const drawing = figure.querySelector('.drawing');
  const output = figure.querySelector('.values');
  const hint = output.textContent;
  let at = -1;

  const rows = () => [...figure.querySelectorAll('tbody tr')];
  const place = (row) => Number(row.dataset.place);

  function show(index) {
    const all = rows();
    at = Math.min(Math.max(index, 0), all.length - 1);
    const row = all[at];
    if (!row) return;
    const values = [...row.querySelectorAll('td')];
    const texts = values.map((cell) =>
      cell.dataset.name ? `${cell.dataset.name}: ${cell.textContent}` : cell.textContent,
    );
    const text = `${row.querySelector('th').textContent} – ${texts.join('; ')}`;
    output.textContent = text;
    drawing.setAttribute('aria-valuenow', String(at));
    drawing.setAttribute('aria-valuemax', String(all.length - 1));
    drawing.setAttribute('aria-valuetext', text);
    for (const svg of drawing.querySelectorAll('svg')) {
      const [left, right] = [Number(svg.dataset.left), Number(svg.dataset.right)];
      const across = String(left + place(row) * (right - left));
      const cursor = svg.querySelector('.cursor');
      cursor.setAttribute('x1', across);
      cursor.setAttribute('x2', across);
      cursor.style.visibility = 'visible';
    }
  }

  function hide() {
    output.textContent = hint;
    for (const cursor of drawing.querySelectorAll('.cursor')) cursor.style.visibility = 'hidden';
  }

  drawing.tabIndex = 0;
  drawing.setAttribute('role', 'slider');
  drawing.setAttribute('aria-valuemin', '0');
  drawing.setAttribute('aria-valuemax', String(Math.max(rows().length - 1, 0)));
  drawing.setAttribute('aria-valuenow', '0');
  drawing.setAttribute('aria-valuetext', hint);

  drawing.addEventListener('pointermove', (event) => {
    const svg = [...drawing.querySelectorAll('svg')].find((one) => one.clientWidth > 0);
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const [left, right] = [Number(svg.dataset.left), Number(svg.dataset.right)];
    const wanted = (across - left) / (right - left);
    const distances = rows().map((row) => Math.abs(place(row) - wanted));
    show(distances.indexOf(Math.min(...distances)));
  });
  drawing.addEventListener('pointerleave', () => {
    if (document.activeElement !== drawing) hide();
  });
  drawing.addEventListener('keydown', (event) => {
    const last = rows().length - 1;
    const to = {
      ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1,
      PageUp: at + 5, PageDown: at - 5, Home: 0, End: last,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(to);
  });
  drawing.addEventListener('focus', () => show(Math.max(at, 0)));
  drawing.addEventListener('blur', hide);
  // A redrawn plot keeps the position of the cursor.
  figure.addEventListener('redrawn', () => {
    if (document.activeElement === drawing) show(Math.max(at, 0));
  });
}
