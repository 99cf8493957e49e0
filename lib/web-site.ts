import { Duration, Fn, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import {
  AllowedMethods,
  type BehaviorOptions,
  CachePolicy,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  OriginRequestPolicy,
  ResponseHeadersPolicy,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin, S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { BucketDeployment, CacheControl, type ISource, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { Construct, type IConstruct } from 'constructs';
import { acknowledge, acknowledgeWildcard } from './acknowledge.ts';
import type { SignInSettings } from './sign-in.ts';

export interface WebSiteProps {
  /** Folder of the built page: index.html, assets/ with hashes in their names. */
  readonly pageFolder: string;
  /** Of the query API, without a slash at the end. */
  readonly apiUrl: string;
  readonly signIn: SignInSettings;
  readonly logRetentionDays: number;
}

/** Paths that are the API's and not the page's. A test holds them to the routes of api/. */
export const API_PATHS = [
  '/v1/*',
  '/v1development/*',
  '/*.v?.*/*',
  '/pyroscope/*',
  '/api/*',
  '/ingest',
  '/healthz',
  '/ready',
];

/** Files that keep their name from one version to the next: they are asked for each time. */
const FILES_THAT_CHANGE = ['index.html', 'config.json'];

/** The page keeps its view in the path, so every path without an extension is the page. */
const SHOW_PAGE = `function handler(event) {
  var request = event.request;
  if (!/\\.[^/]*$/.test(request.uri)) request.uri = '/index.html';
  return request;
}
`;

/** The page, on a private bucket behind CloudFront, which sends calls of the API on to it: one origin for both. */
export class WebSite extends Construct {
  readonly distribution: Distribution;
  readonly #bucket: Bucket;

  constructor(scope: Construct, id: string, props: WebSiteProps) {
    super(scope, id);
    this.#bucket = this.#addBucket();
    const headers = this.#addHeaders(props.signIn);
    const api = apiBehavior(props, headers);
    this.distribution = new Distribution(this, 'Default', {
      comment: 'Cinderblock',
      defaultRootObject: 'index.html',
      httpVersion: HttpVersion.HTTP2_AND_3,
      defaultBehavior: this.#pageBehavior(headers),
      additionalBehaviors: Object.fromEntries(API_PATHS.map((path) => [path, api])),
    });
    acknowledge(this.distribution, {
      'AwsSolutions-CFR1': 'Profiles are for whoever may sign in, wherever they are.',
      'AwsSolutions-CFR2':
        'Nothing is answered without a token, and the API throttles; a firewall is $5 a month and more.',
      'AwsSolutions-CFR3': 'The page is the same for everybody; calls of the API are in its own access log.',
      'AwsSolutions-CFR4':
        'TLS 1.2 needs a certificate of a domain of one’s own; under *.cloudfront.net AWS decides.',
    });
    this.#upload(props);
  }

  /** With a slash at the end: where people come back to after they signed in. */
  get url(): string {
    return `https://${this.distribution.distributionDomainName}/`;
  }

  /** Holds nothing but the page, which every deployment makes anew. */
  #addBucket(): Bucket {
    const bucket = new Bucket(this, 'Page', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      // A bucket with objects cannot be deleted by its stack; emptying it would take a function with wide rights.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    acknowledge(bucket, {
      'AwsSolutions-S1': 'Read by CloudFront alone; the page is the same for everybody.',
    });
    return bucket;
  }

  #pageBehavior(headers: ResponseHeadersPolicy): BehaviorOptions {
    const showPage = new EdgeFunction(this, 'ShowPage', {
      runtime: FunctionRuntime.JS_2_0,
      code: FunctionCode.fromInline(SHOW_PAGE),
    });
    return {
      origin: S3BucketOrigin.withOriginAccessControl(this.#bucket),
      viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      cachePolicy: CachePolicy.CACHING_OPTIMIZED,
      responseHeadersPolicy: headers,
      functionAssociations: [{ function: showPage, eventType: FunctionEventType.VIEWER_REQUEST }],
    };
  }

  #addHeaders({ connectOrigins }: SignInSettings): ResponseHeadersPolicy {
    return new ResponseHeadersPolicy(this, 'Headers', {
      securityHeadersBehavior: {
        contentSecurityPolicy: {
          contentSecurityPolicy: contentSecurityPolicy(connectOrigins),
          override: true,
        },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
        referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: true },
        strictTransportSecurity: {
          accessControlMaxAge: Duration.days(365),
          includeSubdomains: true,
          override: true,
        },
      },
    });
  }

  /** Assets first, so that no page names one that is not there; old ones stay for pages that are open. */
  #upload(props: WebSiteProps): void {
    const { signIn, pageFolder } = props;
    const { bucket: builds } = new Asset(this, 'Built', { path: pageFolder });
    const page = Source.asset(pageFolder);
    const config = { signIn: { issuer: signIn.issuer, clientId: signIn.clientId } };
    const uploader = this.#addUploader(builds, props);
    const assets = this.#addUpload('Assets', uploader, [page], {
      exclude: FILES_THAT_CHANGE,
      cacheControl: [
        CacheControl.setPublic(),
        CacheControl.maxAge(Duration.days(365)),
        CacheControl.immutable(),
      ],
    });
    const changing = this.#addUpload('Index', uploader, [page, Source.jsonData('config.json', config)], {
      exclude: ['*'],
      include: FILES_THAT_CHANGE,
      cacheControl: [CacheControl.noCache()],
      distribution: this.distribution,
      distributionPaths: ['/', ...FILES_THAT_CHANGE.map((file) => `/${file}`)],
    });
    changing.node.addDependency(assets);
    this.#acknowledgeUploader();
  }

  #addUpload(
    id: string,
    { role, logGroup }: Uploader,
    sources: ISource[],
    options: Partial<ConstructorParameters<typeof BucketDeployment>[2]>,
  ): BucketDeployment {
    return new BucketDeployment(this, id, {
      sources,
      destinationBucket: this.#bucket,
      role: role.withoutPolicyUpdates(),
      logGroup,
      memoryLimit: 512,
      ephemeralStorageSize: Size.mebibytes(512),
      prune: false,
      ...options,
    });
  }

  /** What CDK's own uploader may do, spelled out: by itself it would ask for `s3:GetObject*` and the like. */
  #addUploader(builds: IBucket, { logRetentionDays }: WebSiteProps): Uploader {
    const logGroup = new LogGroup(this, 'UploadLogs', {
      retention: logRetentionDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Uploader', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    const allow = (actions: string[], ...resources: string[]) =>
      role.addToPolicy(new PolicyStatement({ actions, resources }));
    allow(['s3:GetObject'], builds.arnForObjects('*'));
    allow(['s3:PutObject'], this.#bucket.arnForObjects('*'));
    allow(['s3:ListBucket'], this.#bucket.bucketArn);
    allow(['cloudfront:CreateInvalidation', 'cloudfront:GetInvalidation'], this.distribution.distributionArn);
    logGroup.grantWrite(role);
    acknowledgeWildcard(
      role,
      '/*',
      'Reads what the CDK uploaded and writes the page: names change with the content.',
    );
    return { role, logGroup };
  }

  #acknowledgeUploader(): void {
    const isUploader = ({ node }: IConstruct) => node.id.startsWith('Custom::CDKBucketDeployment');
    acknowledge(Stack.of(this).node.children.find(isUploader)!, {
      'AwsSolutions-L1': 'Code and runtime of this function are the CDK’s; it runs during deployments only.',
      'Serverless-LambdaLatestVersion':
        'Code and runtime of this function are the CDK’s; it runs during deployments only.',
      'Serverless-LambdaDLQ': 'CloudFormation waits for its answer and says when it fails.',
      'Serverless-LambdaTracing': 'Runs during deployments only.',
    });
  }
}

interface Uploader {
  readonly role: Role;
  readonly logGroup: LogGroup;
}

/** Nothing but the page's own files; it may also call who signs people in. */
function contentSecurityPolicy(connectOrigins: readonly string[]): string {
  return [
    "default-src 'self'",
    `connect-src ${["'self'", ...connectOrigins].join(' ')}`,
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Nothing is cached, and everything that the caller sent goes on, but for the name of the host. */
function apiBehavior({ apiUrl }: WebSiteProps, headers: ResponseHeadersPolicy): BehaviorOptions {
  return {
    // The host of `https://<host>`.
    origin: new HttpOrigin(Fn.select(2, Fn.split('/', apiUrl))),
    allowedMethods: AllowedMethods.ALLOW_ALL,
    cachePolicy: CachePolicy.CACHING_DISABLED,
    originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
    responseHeadersPolicy: headers,
    viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
  };
}
