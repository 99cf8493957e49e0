/** A process's environment, or what stands for it. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The variables that a function needs.
 * @throws Error that names every one that is missing or empty
 */
export function readEnvironment<Name extends string>(
  variables: Variables,
  names: readonly Name[],
): Record<Name, string> {
  const missing = names.filter((name) => !variables[name]);
  if (missing.length > 0) {
    throw new Error(
      `the environment of this function lacks ${missing.join(', ')}; the infrastructure sets them`,
    );
  }
  return Object.fromEntries(names.map((name) => [name, variables[name]!])) as Record<Name, string>;
}

/** Where to ask AWS: the region that Lambda sets, and AWS_ENDPOINT_URL where something stands in for AWS. */
export function awsPlace(variables: Variables): { region: string; endpoint?: string } {
  const { AWS_REGION: region } = readEnvironment(variables, ['AWS_REGION']);
  return { region, endpoint: variables.AWS_ENDPOINT_URL || undefined };
}
