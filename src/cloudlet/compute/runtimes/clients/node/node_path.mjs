// Lets ES modules find packages by NODE_PATH, as AWS's Node.js does and the original does not.
//
// Two folders are found without our help: /var/node_modules and /node_modules are links to the layers' packages and to
// the runtime's (AWS SDK), and every module of /var/task looks there. Other entries of NODE_PATH need a hook.

import fs from "node:fs";
import * as module from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const BARE = /^(@[^/]+\/)?[^./:@][^/:]*(\/|$)/;
const FOUND_ALREADY = ["/var/node_modules", "/node_modules"];

function real(folder) {
  try {
    return fs.realpathSync(folder);
  } catch {
    return undefined;
  }
}

/** The folders of NODE_PATH in which ES modules would not look. */
export function unseenFolders() {
  const seen = new Set(FOUND_ALREADY.map(real));
  const entries = (process.env.NODE_PATH ?? "").split(":").filter((entry) => path.basename(entry) === "node_modules");
  return entries.filter((entry) => real(entry) !== undefined && !seen.has(real(entry)));
}

/** Resolve as always, and then from each of `folders`. `next` may return a promise or not; so does this. */
export function makeResolve(folders) {
  const parents = folders.map((folder) => pathToFileURL(path.join(path.dirname(folder), "any.mjs")).href);
  const isMissing = (error, specifier) => error.code === "ERR_MODULE_NOT_FOUND" && BARE.test(specifier);
  return {
    sync(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!isMissing(error, specifier)) throw error;
        for (const parentURL of parents) {
          try {
            return next(specifier, { ...context, parentURL });
          } catch {
            // perhaps in the next one
          }
        }
        throw error;
      }
    },
    async async(specifier, context, next) {
      try {
        return await next(specifier, context);
      } catch (error) {
        if (!isMissing(error, specifier)) throw error;
        for (const parentURL of parents) {
          try {
            return await next(specifier, { ...context, parentURL });
          } catch {
            // perhaps in the next one
          }
        }
        throw error;
      }
    },
  };
}

/** Install the hook, where there is anything that it would find. */
export function useNodePath() {
  const folders = unseenFolders();
  if (folders.length === 0) return;
  if (module.registerHooks) module.registerHooks({ resolve: makeResolve(folders).sync });
  else module.register("./node_path_hooks.mjs", import.meta.url, { data: folders });
}
