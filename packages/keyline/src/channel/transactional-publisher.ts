import type { MessageRelay } from "../postgres/message/message-relay.ts";
import type { MessageTable, NewMessage } from "../postgres/message/message-table.ts";
import type { TransactionClient } from "../postgres/client/options.ts";
import { nameRefused } from "../postgres/client/refused-data.ts";
import { noteTransactionId } from "../postgres/client/transaction.ts";
import { mayBeInTransaction, TransactionWatch } from "../postgres/client/transaction-watch.ts";
import { checkTransaction } from "../postgres/client/tx-check.ts";
import type { ChannelCounts } from "../runtime/counters.ts";

/** Publishes within transactions: a row of the outbox first, and the message once the COMMIT is seen. */
export class TransactionalPublisher {
  readonly #table: MessageTable;
  readonly #relay: MessageRelay;
  readonly #watched = new Set<TransactionWatch>();

  constructor(table: MessageTable, relay: MessageRelay) {
    this.#table = table;
    this.#relay = relay;
  }

  async publish(tx: TransactionClient, message: NewMessage, counts: ChannelCounts): Promise<void> {
    const check = checkTransaction(tx);
    if (check) await check;
    const watch = TransactionWatch.on(tx);
    const xid = await this.#table.insertWithin(tx, message).catch((error: unknown) => {
      throw nameRefused(error, `channel ${message.channel}`, { data: message.dataJson });
    });
    noteTransactionId(tx, xid);
    // The end may have come with the same packet as the answer.
    if (!watch || !mayBeInTransaction(tx)) {
      this.#relay.expectMessages();
      return;
    }
    watch.onEnd((end) => void (end === "committed" && counts.published++));
    if (this.#watched.has(watch)) return;
    this.#watched.add(watch);
    watch.onEnd((end) => {
      this.#watched.delete(watch);
      // What was rolled back to a savepoint has no row.
      if (end === "unsure") this.#relay.expectMessages();
      else if (end === "committed") this.#relay.lookSoon();
    });
  }
}
