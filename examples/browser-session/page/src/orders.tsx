import { useCallback, useEffect, useState } from 'react';

import { useAction } from './problem';
import { api, session } from './session';

interface Order {
  readonly number: number;
  readonly paid: boolean;
}

async function call(method: string, path: string): Promise<Response> {
  const response = await session.fetch(`${api}${path}`, { method });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response;
}

export function Orders() {
  const [orders, setOrders] = useState<readonly Order[] | null>(null);
  const { problem, isBusy, run } = useAction();
  const load = useCallback(async () => {
    const { orders } = (await (await call('GET', '/orders')).json()) as { orders: Order[] };
    setOrders(orders);
  }, []);
  useEffect(() => void run(load), [load, run]);
  const change = (path: string): void =>
    void run(async () => {
      await call('POST', path);
      await load();
    });
  return (
    <section className="card" aria-busy={isBusy}>
      <h1>
        Orders <small>from the API, which validates locally</small>
      </h1>
      <ul id="orders">
        {orders?.map(({ number, paid }) => (
          <li key={number}>
            <span className="number">№ {number}</span>
            {paid ? (
              <em>paid</em>
            ) : (
              <button className="plain" type="button" onClick={() => change(`/orders/${number}/pay`)}>
                Pay <span className="hidden">order {number}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      <p className="row">
        <button id="order" type="button" onClick={() => change('/orders')}>
          Order
        </button>
        <button id="reload" className="plain" type="button" onClick={() => void run(load)}>
          Reload
        </button>
      </p>
      <p className="problem" role="alert">
        {problem}
      </p>
    </section>
  );
}
