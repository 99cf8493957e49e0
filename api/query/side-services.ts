import type { ServiceImpl } from '@connectrpc/connect';
import type { FeatureFlagsService } from '../gen/capabilities/v1/feature_flags_pb.js';
import type { SettingsService } from '../gen/settings/v1/settings_pb.js';
import type { Version } from '../gen/version/v1/version_pb.js';

// Services that Grafana's apps ask on their way to the profiles, with the least that keeps them content.

/** Names that Profiles Drilldown looks for. */
export const featureFlagsService: ServiceImpl<typeof FeatureFlagsService> = {
  getFeatureFlags: () => ({
    featureFlags: [
      { name: 'v2StorageLayer', enabled: true },
      { name: 'utf8LabelNames', enabled: true },
    ],
  }),
};

export const settingsService: ServiceImpl<typeof SettingsService> = { get: () => ({}) };

export const versionService: ServiceImpl<typeof Version> = { version: () => ({ QuerierAPI: 1n }) };
