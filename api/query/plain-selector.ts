import { labelsOf, SERVICE_NAME } from '../../core/labels/labels.ts';
import { compileMatchers } from '../../core/labels/matcher.ts';
import { parseProfileType } from '../../core/labels/profile-type.ts';
import { formatSelector, parseSelector } from '../../core/labels/selector.ts';
import type { Hub } from '../../pipeline/hub.ts';

/** Matches nothing: every series has a service. */
const NOTHING = formatSelector([{ name: SERVICE_NAME, op: '=', value: '' }]);

/**
 * A selector without the labels that Pyroscope adds to every series. Its clients may name them, such as
 * `{__profile_type__="…",service_name="shop"}`; they say nothing but the profile type, so they are judged here.
 * @throws RejectedError('invalid')
 */
export function plainSelector(hub: Hub, profileType: string, selector: string): string {
  const { matchers } = parseSelector(selector);
  const isVirtual = ({ name }: { name: string }) => name.startsWith('__') && name !== '__service_name__';
  const virtual = matchers.filter(isVirtual);
  if (virtual.length > 0 && !compileMatchers(virtual, hub.compileRegex)(virtualLabels(profileType)))
    return NOTHING;
  const plain = matchers.filter((matcher) => !isVirtual(matcher));
  return formatSelector(
    plain.map((matcher) => (isService(matcher.name) ? { ...matcher, name: SERVICE_NAME } : matcher)),
  );
}

function isService(name: string): boolean {
  return name === '__service_name__';
}

function virtualLabels(profileType: string) {
  const { id, name, sampleType, sampleUnit, periodType, periodUnit } = parseProfileType(profileType);
  return labelsOf([
    ['__profile_type__', id],
    ['__name__', name],
    ['__type__', sampleType],
    ['__unit__', sampleUnit],
    ['__period_type__', periodType],
    ['__period_unit__', periodUnit],
  ]);
}
