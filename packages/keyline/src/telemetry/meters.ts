import type { Attributes, Meter } from "@opentelemetry/api";
import {
  consumedMessages,
  consumerGroup,
  destination,
  durationBounds,
  errorType,
  operationDuration,
  operationName,
  processDuration,
  sentMessages,
  system,
} from "./conventions.ts";

/** What was done, where, and how it ended. */
export interface Measured {
  readonly operation: "send" | "receive" | "process" | "settle";
  readonly place: string | undefined;
  readonly group?: string | undefined;
  readonly error: string | undefined;
}

/** The four metrics of the conventions. */
export class Meters {
  readonly #sent;
  readonly #consumed;
  readonly #operations;
  readonly #processing;

  constructor(meter: Meter) {
    const histogram = { unit: "s", advice: { explicitBucketBoundaries: durationBounds } };
    this.#sent = meter.createCounter(sentMessages, {
      unit: "{message}",
      description: "Number of messages producer attempted to send to the broker.",
    });
    this.#consumed = meter.createCounter(consumedMessages, {
      unit: "{message}",
      description: "Number of messages that were delivered to the application.",
    });
    this.#operations = meter.createHistogram(operationDuration, {
      ...histogram,
      description: "Duration of messaging operation initiated by a producer or consumer client.",
    });
    this.#processing = meter.createHistogram(processDuration, { ...histogram, description: "Duration of processing operation." });
  }

  sent(count: number, measured: Measured): void {
    if (count > 0) this.#sent.add(count, attributesOf(measured));
  }

  consumed(count: number, measured: Measured): void {
    this.#consumed.add(count, attributesOf(measured));
  }

  took(ms: number, measured: Measured): void {
    const histogram = measured.operation === "process" ? this.#processing : this.#operations;
    histogram.record(ms / 1_000, attributesOf(measured));
  }
}

function attributesOf({ operation, place, group, error }: Measured): Attributes {
  return {
    ...system,
    [operationName]: operation,
    ...(place === undefined ? {} : { [destination]: place }),
    ...(group === undefined ? {} : { [consumerGroup]: group }),
    ...(error === undefined ? {} : { [errorType]: error }),
  };
}
