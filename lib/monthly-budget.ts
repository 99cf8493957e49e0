import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import { Construct } from 'constructs';

export interface MonthlyBudgetProps {
  /** Of the whole account: tags count only once they are activated for billing, and until then a filter sees nothing. */
  readonly usd: number;
  /** E-mail address that is told. */
  readonly email: string;
}

/** Tells when the month's bill is forecast to pass the budget, and when it has passed 80 % and all of it. */
export class MonthlyBudget extends Construct {
  constructor(scope: Construct, id: string, { usd, email }: MonthlyBudgetProps) {
    super(scope, id);
    const tell = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number) => ({
      notification: {
        notificationType,
        threshold,
        thresholdType: 'PERCENTAGE',
        comparisonOperator: 'GREATER_THAN',
      },
      subscribers: [{ subscriptionType: 'EMAIL', address: email }],
    });
    new CfnBudget(this, 'Default', {
      budget: { budgetType: 'COST', timeUnit: 'MONTHLY', budgetLimit: { amount: usd, unit: 'USD' } },
      notificationsWithSubscribers: [tell('FORECASTED', 100), tell('ACTUAL', 80), tell('ACTUAL', 100)],
    });
  }
}
