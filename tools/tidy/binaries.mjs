/** What a program made, from what is in the repository or can be got again, is not committed. */

const built =
  /(^|\/)(node_modules|dist)\/|\.(node|o|a|so|wasm|tsbuildinfo|tgz|gz|zip)$|(^|\/)core\.\d+$/;
const picture = /\.(png|jpg|webp|ico)$/;

/** @type {import("./problem.mjs").Rule} */
export const binaries = {
  name: "generated binaries",
  find: (tree) =>
    tree.files.flatMap(({ path, isBinary }) => {
      if (built.test(path)) return [{ path, message: "built or installed: add it to .gitignore" }];
      if (!isBinary || picture.test(path)) return [];
      return [
        { path, message: "a binary file that is not a picture: make it from text in a test" },
      ];
    }),
};
