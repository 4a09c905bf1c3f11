import { z } from "zod";
import { longestContent, longestUserId } from "../limits.ts";
import { isUserId } from "../user-id.ts";

export const userIdRule = `A userId is 1 to ${longestUserId} letters, digits, _ . and -`;

export const UserId = z.string().refine(isUserId, "Must consist of the letters A to Z, digits, _ . and -");

export const Content = z
  .string()
  .max(longestContent)
  .refine((text) => text.trim() !== "", "Must say something")
  .refine((text) => text.isWellFormed() && !text.includes("\0"), "Must not contain U+0000 or half of a character")
  .transform((text) => text.trim());

export const largestId = 2_147_483_647;

/** An integer as addresses have it. */
export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max));
