import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countRows } from "../../site/test/support/pool.ts";
import { problem } from "../../site/test/support/request.ts";
import { openShop, type TestShop } from "./support/shop.ts";

let shop: TestShop;
beforeAll(async () => {
  shop = await openShop({ workers: 1 });
});
afterAll(() => shop.close());

const timeout = 20_000;

const count = (from: string): Promise<number> => countRows(shop.pool, from);

test("each worker tells Prometheus what it does, by the names that the dashboard asks for", async () => {
  const { body } = await shop.request("POST", "/api/shop/orders", { details: "A lamp that is counted" });
  const path = `/api/shop/orders/${(body as { orderId: number }).orderId}`;
  await expect.poll(() => shop.request("GET", path), { timeout }).toMatchObject({ body: { status: "processed" } });
  const [{ targets = [] } = {}] = (await shop.request("GET", "/metrics/targets")).body as { targets?: string[] }[];
  expect(targets).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  const scrape = async (): Promise<string> => (await fetch(`http://${targets[0]}/metrics`)).text();
  await expect.poll(scrape, { timeout }).toMatch(/^keyline_queue_completed_total\{queue="orders"\} [1-9]/m);
  const text = await scrape();
  const dashboard = readFileSync(new URL("../../../docs/monitoring/dashboard.json", import.meta.url), "utf8");
  const asked = [...dashboard.matchAll(/keyline_(?:queue_(?:completed|failed|dead|retried)_total|queue_(?:run|wait)_seconds|worker_\w+)/g)];
  expect(asked.length).toBeGreaterThan(4);
  for (const [name] of asked) expect(text).toContain(`# HELP ${name} `);
  // How the queue stands only the site tells.
  expect(text).not.toContain("keyline_queue_jobs{");
});

describe("placing an order", () => {
  test("answers with its number, and a worker processes it", async () => {
    const placed = await shop.request("POST", "/api/shop/orders", { details: "A reading lamp" });
    expect(placed).toMatchObject({ status: 201, body: { orderId: expect.any(Number), status: "new" } });
    const path = `/api/shop/orders/${(placed.body as { orderId: number }).orderId}`;
    await expect
      .poll(() => shop.request("GET", path), { timeout })
      .toMatchObject({ status: 200, body: { details: "A reading lamp", status: "processed" } });
  });

  test("takes 1,000 characters of any kind", async () => {
    const details = `<b>"Ünïcode"</b> '; DROP TABLE orders; -- `.padEnd(1_000, "🛋");
    const placed = await shop.request("POST", "/api/shop/orders", { details });
    expect(placed.status).toBe(201);
    const path = `/api/shop/orders/${(placed.body as { orderId: number }).orderId}`;
    expect(await shop.request("GET", path)).toMatchObject({ body: { details } });
  });

  test.each([
    ["no details", {}],
    ["empty details", { details: "" }],
    ["blank details", { details: "  \n" }],
    ["details that are no text", { details: 5 }],
    ["details that are null", { details: null }],
    ["1,001 characters", { details: "x".repeat(1_001) }],
    ["a character that PostgreSQL's text cannot hold", { details: "a\0b" }],
    ["an array", ["lamp"]],
    ["a text", '"lamp"'],
    ["invalid JSON", '{"details": "lamp"'],
    ["nothing", ""],
    ["a prototype", '{"__proto__": {"details": "lamp"}}'],
  ])("refuses %s and places nothing", async (_what, body) => {
    const before = await count("orders");
    expect(await shop.request("POST", "/api/shop/orders", body)).toEqual(problem(400, "INVALID_REQUEST"));
    expect(await count("orders")).toBe(before);
  });

  test("says what is wrong with the details", async () => {
    const { body } = await shop.request("POST", "/api/shop/orders", { details: 5 });
    expect(body).toMatchObject({ title: expect.stringContaining("1 to 1000"), issues: [{ path: "details", message: expect.any(String) }] });
  });

  test("refuses a body that is too large", async () => {
    expect(await shop.request("POST", "/api/shop/orders", { details: "x".repeat(20_000) })).toEqual(problem(413, "BODY_TOO_LARGE"));
  });

  test("refuses other content types, such as a form of another site could send", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
      const response = await fetch(`${shop.url}/api/shop/orders`, {
        method: "POST",
        headers: { "content-type": type },
        body: "details=lamp",
      });
      expect(response.status).toBe(415);
    }
  });

  test("leaves neither a row nor a job when the commit fails", async () => {
    await shop.pool.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sold out'; END $$;
      CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.order_details = 'sold out') EXECUTE FUNCTION refuse()`);
    await expect.poll(() => count("keyline.job"), { timeout }).toBe(0);
    const before = await count("orders");
    expect(await shop.request("POST", "/api/shop/orders", { details: "sold out" })).toEqual(problem(500, "INTERNAL_ERROR"));
    expect(await count("orders")).toBe(before);
    expect(await count("keyline.job")).toBe(0);
    expect(await shop.request("GET", "/api/shop/orders?limit=1")).not.toMatchObject({ body: { orders: [{ details: "sold out" }] } });
  });
});

describe("reading orders", () => {
  test("the table is the one that the guide has", async () => {
    const { rows } = await shop.pool.query(
      `SELECT column_name, data_type, character_maximum_length FROM information_schema.columns WHERE table_name = 'orders' ORDER BY ordinal_position`,
    );
    expect(rows).toEqual([
      { column_name: "order_id", data_type: "integer", character_maximum_length: null },
      { column_name: "order_details", data_type: "text", character_maximum_length: null },
      { column_name: "status", data_type: "character varying", character_maximum_length: 50 },
    ]);
  });

  test("lists the newest first, as many as were asked for", async () => {
    const ids: number[] = [];
    for (const details of ["one", "two", "three"]) {
      const { body } = await shop.request("POST", "/api/shop/orders", { details });
      ids.push((body as { orderId: number }).orderId);
    }
    const { status, body } = await shop.request("GET", "/api/shop/orders?limit=2");
    expect(status).toBe(200);
    expect(
      (body as { orders: { orderId: number; details: string }[] }).orders.map(({ orderId, details }) => ({ orderId, details })),
    ).toEqual([
      { orderId: ids[2], details: "three" },
      { orderId: ids[1], details: "two" },
    ]);
  });

  test.each(["0", "201", "-1", "1.5", "ten", "", "1e2", "1&limit=2"])("refuses limit=%s", async (limit) => {
    expect(await shop.request("GET", `/api/shop/orders?limit=${limit}`)).toEqual(problem(400, "INVALID_REQUEST"));
  });

  test.each(["0", "-1", "1.5", "abc", "2147483648", "1%00", "1;--"])("refuses the number %s", async (orderId) => {
    expect(await shop.request("GET", `/api/shop/orders/${orderId}`)).toEqual(problem(400, "INVALID_REQUEST"));
  });

  test("knows no order that was not placed", async () => {
    expect(await shop.request("GET", "/api/shop/orders/2147483647")).toEqual(problem(404, "ORDER_NOT_FOUND"));
  });
});

describe("bursts", () => {
  test("places as many orders as asked for, all of which are processed", async () => {
    const before = await count("orders");
    await shop.request("PUT", "/api/shop/label-time", { labelMs: 0 });
    expect(await shop.request("POST", "/api/shop/bursts", { count: 1_100 })).toMatchObject({ status: 202, body: { count: 1_100 } });
    await expect.poll(() => count("orders"), { timeout }).toBe(before + 1_100);
    await expect.poll(() => count("orders WHERE status <> 'processed'"), { timeout }).toBe(0);
    await expect.poll(() => count("keyline.job"), { timeout }).toBe(0);
  });

  test.each([0, -1, 10_001, 1.5, "100", null, undefined])("refuses %s orders", async (size) => {
    expect(await shop.request("POST", "/api/shop/bursts", { count: size })).toEqual(problem(400, "INVALID_REQUEST"));
  });
});

describe("workers", () => {
  const listed = async (): Promise<{ workerId: number; state: string }[]> => {
    const { body } = await shop.request("GET", "/api/shop/workers");
    return (body as { workers: { workerId: number; state: string }[] }).workers;
  };

  test("one that is stopped finishes what it has and is gone when the answer comes", async () => {
    const { status, body } = await shop.request("POST", "/api/shop/workers");
    expect(status).toBe(201);
    const { workerId } = body as { workerId: number };
    await expect.poll(listed, { timeout }).toContainEqual(expect.objectContaining({ workerId, state: "ready" }));
    expect((await shop.request("DELETE", `/api/shop/workers/${workerId}`)).status).toBe(204);
    expect((await listed()).map((worker) => worker.workerId)).not.toContain(workerId);
    expect(await shop.request("DELETE", `/api/shop/workers/${workerId}`)).toEqual(problem(404, "WORKER_NOT_FOUND"));
  });

  test("one that is killed is shown as such, and cannot be stopped any more", async () => {
    const { workerId } = (await shop.request("POST", "/api/shop/workers")).body as { workerId: number };
    expect((await shop.request("POST", `/api/shop/workers/${workerId}/kill`)).status).toBe(202);
    expect(await listed()).toContainEqual(expect.objectContaining({ workerId, state: "killed" }));
    expect(await shop.request("DELETE", `/api/shop/workers/${workerId}`)).toEqual(problem(404, "WORKER_NOT_FOUND"));
  });

  test("an order that was given up is tried again when it is asked for", async () => {
    const { rows } = await shop.pool.query(`
      WITH placed AS (INSERT INTO orders (order_details, status) VALUES ('given up', 'new') RETURNING order_id)
      INSERT INTO keyline.job (queue, id, state, attempts, data)
      SELECT 'orders', 'given-up', 'dead', 10, json_build_object('orderId', order_id) FROM placed RETURNING data`);
    expect(await shop.request("POST", "/api/shop/dead-orders/redrive")).toMatchObject({ status: 200, body: { redriven: 1 } });
    const path = `/api/shop/orders/${rows[0].data.orderId}`;
    await expect.poll(() => shop.request("GET", path), { timeout }).toMatchObject({ body: { status: "processed" } });
  });

  test.each(["abc", "-1", "1.5"])("refuses the number %s", async (workerId) => {
    expect(await shop.request("DELETE", `/api/shop/workers/${workerId}`)).toEqual(problem(400, "INVALID_REQUEST"));
    expect(await shop.request("POST", `/api/shop/workers/${workerId}/kill`)).toEqual(problem(400, "INVALID_REQUEST"));
  });

  test.each([-1, 10_001, 0.5, "100", null])("refuses a label time of %s", async (labelMs) => {
    expect(await shop.request("PUT", "/api/shop/label-time", { labelMs })).toEqual(problem(400, "INVALID_REQUEST"));
  });
});

describe("the site", () => {
  test("refuses what pages of other sites send", async () => {
    const send = async (headers: Record<string, string>): Promise<number> => {
      return (await fetch(`${shop.url}/api/shop/workers/999999/kill`, { method: "POST", headers })).status;
    };
    expect(await send({ "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await send({ "sec-fetch-site": "same-site" })).toBe(403);
    expect(await send({ origin: "http://example.com" })).toBe(403);
    expect(await send({ origin: "null" })).toBe(403);
    expect(await send({ origin: shop.url })).toBe(404);
    expect(await send({ "sec-fetch-site": "same-origin" })).toBe(404);
  });

  test("answers unknown paths with a problem", async () => {
    expect(await shop.request("GET", "/api/shop/nothing")).toEqual(problem(404, "NOT_FOUND"));
    expect(await shop.request("GET", "/shop/assets/../../package.json")).toEqual(problem(404, "NOT_FOUND"));
  });

  test("serves the page with a policy that lets no foreign or inline script run", async () => {
    const response = await fetch(`${shop.url}/shop`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'self'");
    expect(await response.text()).not.toMatch(/<script>|https?:/);
  });
});
