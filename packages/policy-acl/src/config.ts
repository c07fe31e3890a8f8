/** The configuration of an acl attachment. */
import { configFileField, patternsField, Status, statusField, z } from "@koala/policy";
import { loadRules } from "./rules-file.ts";

const rulesMax = 1_000;

/** What a rule says about the calls that it fits. */
export interface AclRule {
  /** Denials and events carry it. */
  readonly name: string;
  readonly effect: "allow" | "deny";
  /** An expression in CEL; without it, the rule is for all calls that `caller` and `method` fit. */
  readonly when?: string | undefined;
  /** Names of calling apps, `app` or `app@host`. */
  readonly caller?: readonly string[] | undefined;
  /** A pattern without "/" is compared with the method's name, one with "/" with `service/method`. */
  readonly method?: readonly string[] | undefined;
  /** What a call ends with that the rule denies. */
  readonly status: Status;
  readonly message: string;
  /** Where it stands when it is from `file`: `/etc/koala/acl.toml:12`. */
  readonly place?: string | undefined;
  /** It is about messages that have not come yet; never in a configuration. */
  readonly isOpen?: boolean;
}

/** The `config` table of a `[[policy]]` that uses `acl`. */
export interface AclConfig {
  /** `shadow` lets everything pass, and counts what it would have denied. */
  readonly mode: "enforce" | "shadow";
  /** For calls that no rule fits. */
  readonly default: "allow" | "deny";
  /** The first that fits a call decides. Those of `file` follow those of the table. */
  readonly rules: readonly AclRule[];
  /** A TOML file with `[[rule]]` tables. */
  readonly file?: string | undefined;
}

/** Denials that no rule has decided name this one. */
export const defaultRule = "default";

/** Type of one rule. */
export const aclRule: z.ZodType<AclRule> = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, "expected 1 to 64 letters, digits, and . : _ -")
    .refine((name) => name !== defaultRule, `"${defaultRule}" is what denials without a rule name`),
  effect: z.enum(["allow", "deny"]),
  when: z.string().optional(),
  caller: patternsField().optional(),
  method: patternsField().optional(),
  status: statusField().default(Status.PERMISSION_DENIED),
  message: z.string().min(1).max(1_024).default("not allowed"),
});

/** Type and defaults of the `config` table. */
export const aclConfig: z.ZodType<AclConfig> = z
  .strictObject({
    mode: z.enum(["enforce", "shadow"]).default("enforce"),
    default: z.enum(["allow", "deny"]),
    rules: z.array(aclRule).default([]),
    file: configFileField().optional(),
  })
  .transform((table, context): AclConfig => {
    const complain = (message: string, path: string[]): void => {
      context.issues.push({ code: "custom", input: table, message, path });
    };
    const { rules: fromFile, problems } =
      table.file === undefined ? { rules: [], problems: [] } : loadRules(table.file, aclRule);
    for (const problem of problems) complain(problem, ["file"]);
    const file = table.file?.path;
    const rules = [...table.rules, ...fromFile];
    if (rules.length > rulesMax) complain(`${rules.length} rules, ${rulesMax} at most`, ["rules"]);
    return problems.length > 0 || rules.length > rulesMax ? z.NEVER : { ...table, file, rules };
  });
