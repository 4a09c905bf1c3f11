import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let gateway: StandaloneGateway;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  gateway = await openGateway({
    keyline,
    channels: [
      { channel: keyline.channel("hidden"), access: "token", presence: true },
      { channel: keyline.channel("silent"), access: "token", publish: "nobody" },
    ],
    streams: [
      { stream: keyline.stream("hidden"), access: "token" },
      { stream: keyline.stream("silent"), access: "token", append: "nobody" },
    ],
    queues: [keyline.queue("hidden"), keyline.queue("silent")],
  });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const body = { data: 1 };
const requests: Record<string, (name: string) => { readonly path: string; readonly body?: object }> = {
  "reading a channel": (name) => ({ path: `channels/${name}/messages` }),
  "reading several channels": (name) => ({ path: `live?channel=${name}` }),
  "publishing on a channel": (name) => ({ path: `channels/${name}/messages`, body }),
  "reading a stream": (name) => ({ path: `streams/${name}/events` }),
  "appending to a stream": (name) => ({ path: `streams/${name}/events`, body }),
  "looking at a queue": (name) => ({ path: `queues/${name}` }),
  "adding to a queue": (name) => ({ path: `queues/${name}/jobs`, body }),
  "listing the jobs of a queue": (name) => ({ path: `queues/${name}/jobs` }),
  "looking at a job": (name) => ({ path: `queues/${name}/jobs/some` }),
  "following the events of a queue": (name) => ({ path: `queues/${name}/events` }),
  "cancelling a job": (name) => ({ path: `queues/${name}/jobs/some/cancel`, body: {} }),
  "promoting a job": (name) => ({ path: `queues/${name}/jobs/some/promote`, body: {} }),
  "changing a job": (name) => ({ path: `queues/${name}/jobs/some/update`, body }),
  "sending a job a signal": (name) => ({ path: `queues/${name}/jobs/some/signal`, body: { name: "go" } }),
};

const frames: Record<string, (name: string) => object> = {
  "subscribing to a channel": (channel) => ({ type: "subscribe", channel }),
  "watching a channel": (channel) => ({ type: "watch", channel }),
  "entering a channel": (channel) => ({ type: "enter", channel }),
  "publishing on a channel": (channel) => ({ type: "publish", channel, data: 1 }),
  "following a stream": (stream) => ({ type: "follow", stream }),
  "appending to a stream": (stream) => ({ type: "append", stream, data: 1 }),
};

const claims = {
  "nobody known": undefined,
  "a token for something else": {
    channels: { subscribe: ["other"], publish: ["other"] },
    streams: { read: ["other"] },
    queues: ["other"],
    jobs: { see: ["other"] },
  },
};

/** Everything that an answer says, with the name that was asked for left out. */
function without(name: string, answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer).replaceAll(name, "?"));
}

describe.each(Object.entries(claims))("to %s what is private looks like what is not there", (_, given) => {
  test.each(Object.entries(requests))("by %s", async (_, ask) => {
    const headers = given ? bearer(await signToken(given)) : {};
    const [there, silent, missing] = await Promise.all(
      ["hidden", "silent", "nowhere"].map(async (name) => {
        const { path, ...rest } = ask(name);
        const answer = await request(`${gateway.url}/v1/${path}`, { headers, ...rest });
        const { date: _, "content-length": __, ...sent } = Object.fromEntries(answer.headers);
        return without(name, { ...answer, headers: sent });
      }),
    );
    expect(there).toMatchObject({ status: given ? 403 : 401 });
    expect(there).toEqual(missing);
    expect(silent).toEqual(missing);
  });

  test.each(Object.entries(frames))("by a frame for %s", async (_, frame) => {
    const reader = await SocketReader.open(`${gateway.url}/v1/ws`, given ? bearer(await signToken(given)) : {});
    const answers: unknown[] = [];
    for (const name of ["hidden", "silent", "nowhere"]) answers.push(without(name, await reader.ask(frame(name), "error")));
    reader.close();
    expect(answers[0]).toMatchObject({ code: given ? "FORBIDDEN" : "TOKEN_MISSING" });
    expect(answers[0]).toEqual(answers[2]);
    expect(answers[1]).toEqual(answers[2]);
  });
});

test("a token that lists the name is told that there is nothing of it", async () => {
  const all = {
    channels: { subscribe: ["*"], publish: ["*"] },
    streams: { read: ["*"], append: ["*"] },
    queues: ["*"],
    jobs: { see: ["*"], change: ["*"] },
  };
  const headers = bearer(await signToken(all));
  for (const ask of Object.values(requests)) {
    const { path, ...rest } = ask("nowhere");
    expect(await request(`${gateway.url}/v1/${path}`, { headers, ...rest })).toMatchObject({
      status: 404,
      body: { code: expect.stringMatching(/^UNKNOWN_(?:CHANNEL|STREAM|QUEUE)$/) },
    });
  }
});
