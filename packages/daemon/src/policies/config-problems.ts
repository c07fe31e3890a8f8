/** What is wrong with a policy's own table: by its type, and by the policy's own look at it. */
import type { PolicyDefinition } from "@koala/policy";
import type { z } from "zod";
import type { PolicyProblem } from "../config/index.ts";
import { didYouMean } from "../config/suggestion.ts";

/** The parts of a zod type that lead to the types within. */
interface TypeParts {
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
}

/** The table as the policy reads it, or all that is wrong with it. What the policy throws is a problem, too. */
export function readPolicyConfig(
  definition: PolicyDefinition,
  raw: Readonly<Record<string, unknown>>,
): { config: unknown } | { problems: PolicyProblem[] } {
  try {
    const result = definition.config.safeParse(raw);
    if (!result.success) {
      return {
        problems: result.error.issues.flatMap((issue) => explain(definition.config, issue)),
      };
    }
    const problems = definition.check?.(result.data) ?? [];
    return problems.length > 0 ? { problems: [...problems] } : { config: result.data };
  } catch (error) {
    const message = `the policy can't read it: ${error instanceof Error ? error.message : String(error)}`;
    return { problems: [{ path: [], message }] };
  }
}

function explain(type: z.core.$ZodType, issue: z.core.$ZodIssue): PolicyProblem[] {
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(partsOf(typeAt(type, issue.path))?.shape ?? {});
    return issue.keys.map((key) => {
      const hint =
        didYouMean(key, known) || (known.length > 0 ? `Known here: ${known.join(", ")}.` : "");
      return {
        path: [...issue.path, key],
        isKey: true,
        message: `unknown key "${key}". ${hint}`.trimEnd(),
      };
    });
  }
  if (issue.code === "invalid_union") {
    // The branch with which least is wrong is the one that was meant.
    const best = issue.errors.reduce<readonly z.core.$ZodIssue[] | undefined>(
      (found, branch) => (found !== undefined && found.length <= branch.length ? found : branch),
      undefined,
    );
    if (best?.some(({ path }) => path.length > 0) === true) {
      return best.flatMap((inner) =>
        explain(type, { ...inner, path: [...issue.path, ...inner.path] }),
      );
    }
  }
  return [{ path: issue.path, message: issue.message }];
}

/** The type of what is at a path; undefined where that depends on the value. */
function typeAt(type: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let found: z.core.$ZodType | undefined = unwrapped(type);
  for (const step of path) {
    const parts: TypeParts | undefined = found === undefined ? undefined : partsOf(found);
    const next: z.core.$ZodType | undefined =
      typeof step === "number"
        ? parts?.element
        : (parts?.shape?.[String(step)] ?? parts?.valueType);
    found = next === undefined ? undefined : unwrapped(next);
  }
  return found;
}

/** Without defaults, `optional` and transformations around it. */
function unwrapped(type: z.core.$ZodType): z.core.$ZodType {
  const parts = partsOf(type);
  const inner = parts?.innerType ?? parts?.in;
  return inner === undefined ? type : unwrapped(inner);
}

function partsOf(type: z.core.$ZodType | undefined): TypeParts | undefined {
  return type === undefined ? undefined : (type._zod.def as unknown as TypeParts);
}
