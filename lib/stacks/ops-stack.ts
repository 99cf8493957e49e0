import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { HubConfig } from '../config.ts';
import { HubDashboard, type HubDashboardProps } from '../hub-dashboard.ts';
import { MonthlyBudget } from '../monthly-budget.ts';

export interface OpsStackProps extends StackProps {
  readonly config: HubConfig;
  readonly dashboard: HubDashboardProps;
}

/** What operators look at. Alarms are with what they watch. */
export class OpsStack extends Stack {
  constructor(scope: Construct, id: string, props: OpsStackProps) {
    super(scope, id, props);
    const { alarmEmail, monthlyBudgetUsd } = props.config;
    new HubDashboard(this, 'Dashboard', props.dashboard);
    if (monthlyBudgetUsd === undefined || alarmEmail === undefined) return;
    new MonthlyBudget(this, 'Budget', { usd: monthlyBudgetUsd, email: alarmEmail });
  }
}
