/**
 * The keeper's wire types under the names the window uses: what it *receives*, where every field
 * is there and what is missing is `null`. Their source is the generated file beside this one.
 *
 * Times are RFC 3339 texts, bytes are numbers, seeds are texts (they may exceed 2^53).
 */
import type { GenerationVerdict } from './bench-types';
import type * as wire from './bindings.gen';

export type * from './bench-types';
export type * from './guard-types';

export type Status = wire.Status;
export type Rung = wire.Rung;
export type KindId = wire.KindId;
export type Cause = wire.Cause;
export type ErrorCode = wire.ErrorCode;
export type ErrorInfo = wire.ErrorInfo_Serialize;
export type Evidence = wire.Evidence;
export type Outcome = wire.Outcome_Serialize;
export type RungOutcome = wire.RungOutcome_Serialize;
export type Ladder = wire.Ladder_Serialize;
export type RunState = wire.RunState;
export type Health = wire.Health;
export type PortBinding = wire.PortBinding;
export type ContainerSnapshot = wire.ContainerSnapshot_Serialize;
export type RestartTarget = wire.RestartTarget;
export type Action = wire.Action;
export type Refusal = wire.Refusal;
export type Busy = wire.Busy_Serialize;
export type Forecast = wire.Forecast_Serialize;
export type ActionPlan = wire.ActionPlan_Serialize;
export type Stage = wire.Stage;
export type StageTime = wire.StageTime;
export type JobKind = wire.JobKind;
export type JobPhase = wire.JobPhase;
export type Job = wire.Job_Serialize;
export type GpuSample = wire.GpuSample_Serialize;
export type GpuSourceInfo = wire.GpuSourceInfo_Serialize;
export type GpuCard = wire.GpuCard_Serialize;
export type GpuView = wire.GpuView_Serialize;
export type GpuProcess = wire.GpuProcess_Serialize;
export type PcieLink = wire.PcieLink_Serialize;
export type Throttle = wire.Throttle;
export type Shares = wire.Shares_Serialize;
export type Share = wire.Share_Serialize;
export type Holder = wire.Holder_Serialize;
export type ShareSource = wire.ShareSource;
export type GpuMetric = wire.GpuMetric;
export type GpuHistoryQuery = wire.GpuHistoryQuery;
export type GpuHistory = wire.GpuHistory_Serialize;
export type GpuTrack = wire.GpuTrack;
export type GpuLine = wire.GpuLine;
export type GpuMarker = wire.GpuMarker_Serialize;
export type GpuMarkerKind = wire.GpuMarkerKind;
export type Placement = wire.Placement_Serialize;
export type Declared = wire.Declared_Serialize;
export type Declaration = wire.Declaration;
export type DeclarationSource = wire.DeclarationSource;
export type ReportedDevice = wire.ReportedDevice;
export type ReportSource = wire.ReportSource;
export type Proved = wire.Proved_Serialize;
export type PlacementVerdict = wire.PlacementVerdict;
export type PlacementRemedy = wire.PlacementRemedy_Serialize;
export type PlacementProgress = wire.PlacementProgress;
export type PlacementStage = wire.PlacementStage;
export type Confidence = wire.Confidence;
export type Fading = wire.Fading;
export type Measurement = wire.Measurement_Serialize;
export type UnclearProof = wire.UnclearProof;
export type Basis = wire.Basis_Serialize;
export type Found = wire.Found;
export type Doubt = wire.Doubt;
export type Round = wire.Round;
export type Look = wire.Look;
export type LookPhase = wire.LookPhase;
export type Subject = wire.Subject;
export type Incident = wire.Incident;
export type LogStream = wire.LogStream;
export type LogLevel = wire.LogLevel;
export type LogLine = wire.LogLine_Serialize;
export type LogQuery = wire.LogQuery_Serialize;
export type LogBatch = wire.LogBatch_Serialize;
export type LogMeter = wire.LogMeter_Serialize;
export type LogSearchBatch = wire.LogSearchBatch_Serialize;
export type LogGroup = wire.Group_Serialize;
export type LogGroupBatch = wire.LogGroupBatch_Serialize;
/** Its length is always a number. */
export type SavedLog = wire.SavedLog & { bytes: number };
export type SaveFormat = wire.SaveFormat;
export type LogMarker = wire.Marker_Serialize;
export type TracePart = wire.TracePart;
export type Finding = wire.Finding_Serialize;
export type UnknownError = wire.UnknownError_Serialize;
export type LogRun = wire.Run_Serialize;
export type Signature = wire.Signature_Serialize;
export type Severity = wire.Severity;
export type Blocking = wire.Blocking;
export type RuleDraft = wire.RuleDraft;
export type RuleTest = wire.RuleTest_Serialize;
export type DraftFault = wire.DraftFault_Serialize;
export type RuleProblem = wire.RuleProblem_Serialize;
export type RulesView = wire.RulesView_Serialize;
export type RulesStatus = wire.RulesStatus_Serialize;
export type RuleLanguage = wire.Language;
export type HostState = wire.HostState_Serialize;
export type SupervisorState = wire.SupervisorState;
export type SecretPlace = wire.SecretPlace;
export type ServiceState = wire.ServiceState_Serialize;
export type SettingsProblem = wire.SettingsProblem_Serialize;
export type SettingsStatus = wire.SettingsStatus_Serialize;
export type KeeperState = wire.KeeperState_Serialize;
export type EngineAttempt = wire.EngineAttempt_Serialize;
export type Candidate = wire.Candidate_Serialize;
export type DiscoveryReport = wire.DiscoveryReport_Serialize;
export type HostSettings = wire.HostSettings;
export type ServiceSettings = wire.ServiceSettings_Serialize;
export type Settings = wire.Settings_Serialize;
export type SettingsView = wire.SettingsView_Serialize;
export type Credentials = wire.Credentials;
export type AppInfo = wire.AppInfo;

// Lists of every code, for tests and guards; a code of the keeper that is missing here does not
// compile.

export const CAUSES = [
  'rung.below',
  'rung.not_measured_yet',
  'rung.not_configured',
  'rung.stale',
  'rung.not_measurable',
  'rung.resting',
  'host.asleep',
  'host.unreachable',
  'engine.refused',
  'engine.timeout',
  'engine.not_docker',
  'engine.denied',
  'engine.not_found',
  'engine.version',
  'container.exited',
  'container.missing',
  'container.oom_killed',
  'container.killed',
  'container.crash_loop',
  'container.port_in_use',
  'container.gpu_runtime',
  'container.paused',
  'container.created',
  'container.starting',
  'container.unhealthy',
  'container.dead',
  'disk.full',
  'freshness.abandoned',
  'program.fatal',
  'program.crash_loop',
  'program.stopped',
  'program.stopping',
  'program.starting',
  'program.missing',
  'program.context_lost',
  'config.workspace_unmounted',
  'config.second_writer',
  'config.reset',
  'config.model_unset',
  'logs.silent',
  'api.refused',
  'api.timeout',
  'api.unauthorized',
  'api.login_page',
  'api.server_error',
  'api.bad_answer',
  'api.no_models',
  'api.starting',
  'api.disabled',
  'api.dns',
  'image.not_since_restart',
  'image.blank',
  'image.undecodable',
  'image.out_of_memory',
  'image.cuda_context_lost',
  'image.cpu_fallback',
  'image.failed',
  'image.interrupted',
  'placement.mismatch',
  'gpu.lost',
  'gpu.hot',
  'gpu.throttled',
  'gpu.pcie_degraded',
  'gpu.memory_low',
] as const satisfies readonly Cause[];
export const ERROR_CODES = [
  'bad_request',
  'unknown_service',
  'unknown_job',
  'refused',
  'settings',
  'engine',
  'engine_timeout',
  'engine_refused_action',
  'container_missing',
  'port_in_use',
  'gpu_runtime',
  'api',
  'unauthorized',
  'out_of_memory',
  'cuda_context_lost',
  'bad_picture',
  'blank_picture',
  'not_proved',
  'cancelled',
  'picture_missing',
  'keyring_unavailable',
  'io',
  'disk_full',
  'not_allowed',
  'store',
  'bad_filter',
  'bad_workflow',
  'editor_workflow',
  'service_busy',
  'gpu_memory_low',
  'gpu_unreadable',
  'changed_meanwhile',
  'internal',
] as const satisfies readonly ErrorCode[];
export const REFUSALS = [
  'engine_not_answering',
  'container_missing',
  'state_unknown',
  'already_acting',
  'generation_running',
  'already_running',
  'already_stopped',
  'container_not_running',
  'container_paused',
  'container_dead',
  'no_program',
] as const satisfies readonly Refusal[];
export const STAGES = [
  'asked',
  'stopping',
  'stopped',
  'starting',
  'container_up',
  'program_up',
  'api_answers',
  'image',
] as const satisfies readonly Stage[];
export const VERDICTS = [
  'proved',
  'blank',
  'undecodable',
  'out_of_memory',
  'cuda_context_lost',
  'interrupted',
  'failed',
] as const satisfies readonly GenerationVerdict[];
export const THROTTLES = [
  'idle',
  'application_clocks',
  'power_limit',
  'hardware_slowdown',
  'sync_boost',
  'software_heat',
  'hardware_heat',
  'power_brake',
  'display',
  'other',
] as const satisfies readonly Throttle[];

type Missing =
  | Exclude<Cause, (typeof CAUSES)[number]>
  | Exclude<ErrorCode, (typeof ERROR_CODES)[number]>
  | Exclude<Refusal, (typeof REFUSALS)[number]>
  | Exclude<Stage, (typeof STAGES)[number]>
  | Exclude<GenerationVerdict, (typeof VERDICTS)[number]>
  | Exclude<Throttle, (typeof THROTTLES)[number]>;
/** Compiles only while the lists above are complete. */
export const ALL_CODES_LISTED: [Missing] extends [never] ? true : Missing = true;
