// The entry of a contender's process. A process of its own keeps one contender's heap, compiled code and module state away from the
// others, and lets the kernel count its CPU.
import { enableCompileCache } from "node:module";
import { tasks } from "../tasks/index.ts";
import { performTasks } from "./perform-tasks.ts";

// A run starts some hundred of these processes, each of which would parse a library and its dependencies again.
enableCompileCache();

await performTasks(tasks);
