import type { Attributes, Span } from "@opentelemetry/api";
import { SpanStatusCode } from "@opentelemetry/api";
import { KeylineError } from "../runtime/errors.ts";
import { batchCount, consumerGroup, destination, errorType, messageId, operationName, operationType, system } from "./conventions.ts";
import type { Measured } from "./meters.ts";

type Operation = Measured["operation"];

/** What an operation is about. */
export interface Subject {
  readonly place: string | undefined;
  readonly group?: string | undefined;
  readonly id?: string | undefined;
  /** Of a batch. */
  readonly count?: number | undefined;
}

export function nameOf(operation: Operation, place: string | undefined): string {
  return place === undefined ? operation : `${operation} ${place}`;
}

export function attributesOf(operation: Operation, { place, group, id, count }: Subject): Attributes {
  return {
    ...system,
    [operationName]: operation,
    [operationType]: operation,
    ...(place === undefined ? {} : { [destination]: place }),
    ...(group === undefined ? {} : { [consumerGroup]: group }),
    ...(id === undefined ? {} : { [messageId]: id }),
    ...(count === undefined ? {} : { [batchCount]: count }),
  };
}

/** A code where Keyline gave one, else the name of its class: there are few of either. */
export function typeOf(error: Error): string {
  return error instanceof KeylineError ? error.code : error.name;
}

export function fail(span: Span, error: Error): void {
  span.setAttribute(errorType, typeOf(error));
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}
