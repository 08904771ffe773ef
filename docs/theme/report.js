// Fits the frame of a report to its content. A page that was opened from a file cannot read the frame; it keeps
// the height of the stylesheet, and the frame scrolls.
for (const frame of document.querySelectorAll('iframe.report')) {
  const fit = () => {
    const page = frame.contentDocument?.documentElement;
    if (!page) return;
    const set = () => { frame.style.height = `${page.querySelector('main').offsetHeight + 64}px`; };
    new ResizeObserver(set).observe(page.querySelector('main'));
    set();
  };
  frame.addEventListener('load', fit);
}
