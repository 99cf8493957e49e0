import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';

export interface AlarmTopicProps {
  /**
   * Who is written to; AWS asks there for consent first.
   * @default nobody: alarms show in the console only
   */
  readonly email?: string;
}

/** Where every alarm is told. Lives beside the data, because whatever raises alarms is deployed after it. */
export class AlarmTopic extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, props: AlarmTopicProps = {}) {
    super(scope, id);
    this.topic = new Topic(this, 'Default', { enforceSSL: true });
    if (props.email === undefined) return;
    const subscription = this.topic.addSubscription(new EmailSubscription(props.email));
    acknowledge(subscription, {
      'Serverless-SNSRedrivePolicy':
        'SNS repeats e-mail by itself, and the alarm stays visible in CloudWatch.',
    });
  }
}
