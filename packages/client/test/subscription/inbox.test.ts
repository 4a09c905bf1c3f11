import fc from "fast-check";
import { expect, test } from "vitest";
import { ClientError } from "../../src/client-error.ts";
import { Inbox } from "../../src/subscription/inbox.ts";
import { isGap, type Item } from "../../src/subscription/item.ts";
import type { Message } from "../../src/subscription/message.ts";

function message(id: number): Item {
  return { channel: "news", id: String(id), data: id, at: 0, cursor: `1-${id}` };
}

const gap: Item = { channel: "news", reason: "lost", missed: undefined, cursor: undefined };

function createInbox(capacity: number): { readonly inbox: Inbox<Message<number>>; readonly handedOver: unknown[] } {
  const handedOver: unknown[] = [];
  const handOver = (item: Item): unknown => handedOver.push(isGap(item) ? "gap" : item.data);
  const inbox: Inbox<Message<number>> = new Inbox({ handOver, end: () => inbox.end(undefined) }, capacity);
  return { inbox, handedOver };
}

test("whatever the order of coming and asking, each asker gets one message, in order, and gaps keep their place", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("message", "gap", "ask"), { maxLength: 60 }), async (steps) => {
      const { inbox, handedOver } = createInbox(1_000);
      const expected: unknown[] = [];
      const asked: Promise<IteratorResult<{ readonly data: number }, undefined>>[] = [];
      for (const [index, step] of steps.entries()) {
        if (step === "ask") asked.push(inbox.next());
        else if (inbox.take(step === "gap" ? gap : message(index))) expected.push(step === "gap" ? "gap" : index);
      }
      inbox.end(new ClientError("TOKEN_REVOKED", ""));
      const answers = await Promise.allSettled(asked);
      const got = answers.flatMap((answer) => (answer.status === "fulfilled" && !answer.value.done ? [answer.value.value.data] : []));
      const data = expected.filter((item) => item !== "gap");
      expect(got).toEqual(data.slice(0, asked.length));
      expect(handedOver).toEqual(expected.slice(0, handedOver.length));
      // The error comes to one who asks, and after it there is nothing.
      expect(answers.filter(({ status }) => status === "rejected")).toHaveLength(asked.length > data.length ? 1 : 0);
    }),
  );
});

test("one that is full takes nothing, and has room again when something is handed over", async () => {
  const { inbox } = createInbox(2);
  expect([inbox.take(message(1)), inbox.take(message(2)), inbox.take(message(3))]).toEqual([true, true, false]);
  await inbox.next();
  expect(inbox.take(message(4))).toBe(true);
});

test("an asker waits in front of a full house: what is handed over at once takes no room", async () => {
  const { inbox } = createInbox(1);
  const asked = [inbox.next(), inbox.next()];
  expect([inbox.take(message(1)), inbox.take(message(2)), inbox.take(message(3))]).toEqual([true, true, true]);
  expect(await Promise.all(asked)).toMatchObject([{ value: { data: 1 } }, { value: { data: 2 } }]);
});

test.each(["return", "throw"] as const)("%s ends what all askers wait for, and leaves nothing for those who come later", async (leave) => {
  const { inbox } = createInbox(10);
  const asked = [inbox.next(), inbox.next()];
  const reason = new Error("enough");
  if (leave === "return") expect(await inbox.return()).toEqual({ done: true, value: undefined });
  else await expect(inbox.throw(reason)).rejects.toBe(reason);
  const over = { done: true, value: undefined };
  expect(await Promise.all([...asked, inbox.next()])).toEqual([over, over, over]);
});

test("whoever leaves one that has ended with an error gets neither what waited nor the error", async () => {
  const { inbox, handedOver } = createInbox(10);
  inbox.take(message(1));
  inbox.end(new ClientError("TOKEN_REVOKED", ""));
  await inbox.return();
  expect(await inbox.next()).toEqual({ done: true, value: undefined });
  expect(handedOver).toEqual([]);
});
