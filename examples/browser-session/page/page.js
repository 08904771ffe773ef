import { Session, SignedOut } from './session.js';

// app.shop.example → auth.shop.example
const at = (name) => `${location.protocol}//${location.host.replace(/^app\./, `${name}.`)}`;

const session = new Session(at('auth'));
const $ = (id) => document.getElementById(id);

function show(signedIn) {
  $('login').hidden = signedIn;
  $('shop').hidden = !signedIn;
  $('user').hidden = !signedIn;
}

/** Runs an action. If the session has ended, shows the login. */
async function run(action, problem = $('problem')) {
  problem.textContent = '';
  try {
    await action();
  } catch (error) {
    if (error instanceof SignedOut) show(false);
    else problem.textContent = error.message;
  }
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function load() {
  const me = await session.me();
  $('name').textContent = me.name;
  await Promise.all([loadOrders(), loadSessions()]);
  show(true);
}

async function loadOrders() {
  const { orders } = await (await session.fetch(`${at('api')}/orders`)).json();
  $('orders').replaceChildren(
    ...orders.map((number) => element('li', {}, element('span', { className: 'number' }, `№ ${number}`), 'on its way')),
  );
}

async function order() {
  await session.fetch(`${at('api')}/orders`, { method: 'POST' });
  await loadOrders();
}

/** Shortens a browser's user agent. */
function device(agent = '') {
  const named = (names) => names.find((name) => agent.includes(name));
  const browser = named(['Firefox', 'Edg', 'Chrome', 'Safari']) ?? 'Something';
  return `${browser} on ${named(['Android', 'iPhone', 'Windows', 'Mac OS', 'Linux']) ?? 'something'}`;
}

async function loadSessions() {
  const sessions = await session.sessions();
  $('sessions').replaceChildren(
    ...sessions.map(({ id, user_agent, created_at, current }) => {
      const since = new Date(created_at * 1000).toLocaleTimeString([], { timeStyle: 'short' });
      const what = element('span', {}, element('strong', {}, device(user_agent)), element('small', {}, `since ${since}`));
      const end = element('button', { className: 'plain', textContent: 'End' });
      end.setAttribute('aria-label', `End ${device(user_agent)}, since ${since}`);
      end.addEventListener('click', () => run(() => session.endSession(id).then(loadSessions)));
      const row = element('li', {}, what, current ? element('em', {}, 'this one') : end);
      row.dataset.session = id;
      return row;
    }),
  );
}

session.onRequest(({ method, url, status }) => {
  const { host, pathname } = new URL(url);
  const row = element(
    'li',
    { className: status < 400 ? 'fine' : 'refused' },
    element('code', {}, String(status)),
    element('code', {}, `${method} ${host.split('.')[0]}${pathname.replace(/[0-9a-f]{32}/, '…')}`),
  );
  $('requests').prepend(row);
  while ($('requests').children.length > 8) $('requests').lastChild.remove();
});

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const { username, password } = event.target;
  run(async () => {
    await session.login(username.value, password.value);
    password.value = '';
    await load();
  }, $('refused'));
});
$('reload').addEventListener('click', () => run(loadOrders));
$('order').addEventListener('click', () => run(order));
$('logout').addEventListener('click', () => run(() => session.logout().then(() => show(false))));

// The issuer decides whether there is a session.
run(load);
