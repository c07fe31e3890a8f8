/** Places that exist on one machine or in one network only: home folders, private registries. */

/** Not a part of a longer path or an address: "./home/", "example.org/home/". */
const machinePath = /(?<![\w.\-/}])\/(?:work|root|home)\/[\w.]/;
const registrySetting = /\bregistry\s*=\s*\S/;
const registryHost = /https?:\/\/([\w.-]*(?:registry|artifactory|nexus|verdaccio)[\w.-]*)/i;
const lockedHost = /"resolved": "https?:\/\/([^/"]+)/;

/** Where the forbidden has to be written down. */
const exempt = /^tools\/tidy\//;

/** @type {import("./problem.mjs").Rule} */
export const places = {
  name: "machine paths and hosts",
  find: (tree) =>
    tree.files
      .filter(({ path }) => !exempt.test(path))
      .flatMap(({ path, lines }) =>
        lines.flatMap((text, index) => {
          const message = messageFor(path, text);
          return message === undefined ? [] : [{ path, line: index + 1, message }];
        }),
      ),
};

/**
 * @param {string} path
 * @param {string} text
 */
function messageFor(path, text) {
  if (machinePath.test(text)) return "a path of one machine: make it relative or a parameter";
  if (path.endsWith(".npmrc") && registrySetting.test(text)) {
    return "a registry belongs into the settings of the person, not of the project";
  }
  const host = (path.endsWith("package-lock.json") ? lockedHost : registryHost).exec(text)?.[1];
  if (host === undefined) return undefined;
  return `"${host}" is a registry's host: leave it to the configuration of npm`;
}
