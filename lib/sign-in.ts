import { Aws, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  AccountRecovery,
  CfnUserPoolGroup,
  Mfa,
  OAuthScope,
  UserPool,
  type UserPoolClient,
} from 'aws-cdk-lib/aws-cognito';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { HubConfig, SignInConfig } from './config.ts';

/** What the page and the authorizer have to know about who signs people in. */
export interface SignInSettings {
  /** As in the `iss` claim. */
  readonly issuer: string;
  readonly clientId: string;
  /** Claim that lists a person's groups. */
  readonly groupsClaim: string;
  /** Origins that the page calls in order to sign people in. */
  readonly connectOrigins: readonly string[];
}

export interface SignInProps {
  readonly config: HubConfig;
  /** Addresses of pages that people come back to. */
  readonly pages: readonly string[];
}

/** Who people are: an issuer of one's own, or a Cognito user pool made here, where only administrators add people. */
export function signIn(scope: Construct, id: string, props: SignInProps): SignInSettings {
  const { signIn } = props.config;
  return signIn.kind === 'oidc' ? givenIssuer(signIn) : new CognitoSignIn(scope, id, props).settings;
}

function givenIssuer(given: Extract<SignInConfig, { kind: 'oidc' }>): SignInSettings {
  const { issuer, clientId, groupsClaim } = given;
  const connectOrigins = [...new Set([new URL(issuer).origin, ...given.connectOrigins])];
  return { issuer, clientId, groupsClaim, connectOrigins };
}

class CognitoSignIn extends Construct {
  readonly settings: SignInSettings;

  constructor(scope: Construct, id: string, { config, pages }: SignInProps) {
    super(scope, id);
    const pool = new UserPool(this, 'Default', {
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      autoVerify: { email: true },
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      mfa: Mfa.REQUIRED,
      mfaSecondFactor: { otp: true, sms: false },
      passwordPolicy: {
        minLength: 12,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(3),
      },
      deletionProtection: config.retainData,
      removalPolicy: config.retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    acknowledge(pool, {
      'AwsSolutions-COG8':
        'Risk-based sign-in is billed per user; a second factor is required of everybody instead.',
    });
    new CfnUserPoolGroup(this, 'Administrators', {
      userPoolId: pool.userPoolId,
      groupName: config.adminGroup,
      description: 'May administer clusters and tokens',
    });
    const client = this.#addClient(pool, pages);
    // Prefixes are unique among all accounts of a region.
    const domain = pool.addDomain('Domain', {
      cognitoDomain: { domainPrefix: `${config.name}-${config.stage}-${Aws.ACCOUNT_ID}` },
    });
    this.settings = {
      issuer: pool.userPoolProviderUrl,
      clientId: client.userPoolClientId,
      groupsClaim: 'cognito:groups',
      connectOrigins: [`https://cognito-idp.${Stack.of(this).region}.amazonaws.com`, domain.baseUrl()],
    };
  }

  /** A public client: the page keeps no secret, and proves with PKCE that it is the one that asked. */
  #addClient(pool: UserPool, pages: readonly string[]): UserPoolClient {
    return pool.addClient('Page', {
      generateSecret: false,
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      authFlows: {},
      oAuth: {
        flows: { authorizationCodeGrant: true },
        scopes: [OAuthScope.OPENID, OAuthScope.EMAIL, OAuthScope.PROFILE],
        callbackUrls: [...pages],
        logoutUrls: [...pages],
      },
      accessTokenValidity: Duration.hours(1),
      idTokenValidity: Duration.hours(1),
      refreshTokenValidity: Duration.days(7),
    });
  }
}
