CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.api_key (
    id character varying(8) NOT NULL,
    tenant character varying(64) NOT NULL,
    name character varying(128) NOT NULL,
    digest character varying(64) NOT NULL,
    pepper_version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);
CREATE TABLE public.assessment (
    id character varying(36) NOT NULL,
    tenant character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    task character varying(64) NOT NULL,
    reference character varying(64),
    priority character varying(16) NOT NULL,
    bundle character varying(128) NOT NULL,
    request_id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    audio_key character varying(256),
    transcript_key character varying(256),
    segments_done integer NOT NULL,
    segments_total integer,
    result_key character varying(256),
    failure_code character varying(64),
    failure_detail character varying(512),
    failure_advice character varying(512),
    failure_retryable boolean,
    material_removed_at timestamp with time zone,
    version integer DEFAULT 0 NOT NULL,
    work_removed_at timestamp with time zone,
    audio_seconds double precision,
    batch_id character varying(36),
    batch_line integer,
    custom_id character varying(128)
);
CREATE TABLE public.batch (
    id character varying(36) NOT NULL,
    tenant character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    lines integer NOT NULL,
    request_id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    output_key character varying(256),
    errors_key character varying(256)
);
CREATE TABLE public.delivery (
    id character varying(36) NOT NULL,
    message_id character varying(40) NOT NULL,
    webhook_id character varying(36) NOT NULL,
    state character varying(16) NOT NULL,
    fence integer NOT NULL,
    attempt integer NOT NULL,
    owner character varying(128),
    lease_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    enqueued_at timestamp with time zone,
    not_before timestamp with time zone,
    finished_at timestamp with time zone
);
CREATE TABLE public.delivery_attempt (
    id character varying(36) NOT NULL,
    delivery_id character varying(36) NOT NULL,
    attempt integer NOT NULL,
    at timestamp with time zone NOT NULL,
    seconds double precision NOT NULL,
    status integer,
    error character varying(64)
);
CREATE TABLE public.idempotency (
    tenant character varying(64) NOT NULL,
    key character varying(255) NOT NULL,
    route character varying(128) NOT NULL,
    holder character varying(36) NOT NULL,
    held_until timestamp with time zone NOT NULL,
    digest character varying(64),
    status integer,
    location character varying(256),
    body text,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.leadership (
    role character varying(32) NOT NULL,
    owner character varying(128) NOT NULL,
    lease_until timestamp with time zone NOT NULL
);
CREATE TABLE public.message (
    id character varying(40) NOT NULL,
    tenant character varying(64) NOT NULL,
    event character varying(64) NOT NULL,
    subject character varying(36) NOT NULL,
    payload text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.model (
    digest character varying(128) NOT NULL,
    bundle character varying(128) NOT NULL,
    version character varying(64) NOT NULL,
    demonstration boolean NOT NULL,
    tasks json NOT NULL,
    encoders json NOT NULL,
    loaded_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.reservation (
    id character varying(36) NOT NULL,
    tenant character varying(64) NOT NULL,
    identity character varying(64) NOT NULL,
    due_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stage (
    id character varying(36) NOT NULL,
    assessment_id character varying(36) NOT NULL,
    kind character varying(16) NOT NULL,
    index integer NOT NULL,
    state character varying(16) NOT NULL,
    segments integer NOT NULL,
    fence integer NOT NULL,
    attempt integer NOT NULL,
    owner character varying(128),
    lease_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    enqueued_at timestamp with time zone,
    not_before timestamp with time zone,
    input_key character varying(256),
    output_key character varying(256),
    claimed_at timestamp with time zone,
    finished_at timestamp with time zone
);
CREATE TABLE public.upload (
    id character varying(36) NOT NULL,
    tenant character varying(64) NOT NULL,
    length bigint NOT NULL,
    "offset" bigint NOT NULL,
    fence integer NOT NULL,
    sha256 character varying(64),
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    holder character varying(36),
    held_until timestamp with time zone,
    used_by character varying(36)
);
CREATE TABLE public.webhook (
    id character varying(36) NOT NULL,
    tenant character varying(64) NOT NULL,
    url character varying(2048) NOT NULL,
    events json NOT NULL,
    state character varying(16) NOT NULL,
    disabled_reason character varying(64),
    secret character varying(128) NOT NULL,
    previous_secret character varying(128),
    previous_until timestamp with time zone,
    failing_since timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.worker (
    id character varying(128) NOT NULL,
    queues json NOT NULL,
    model_digest character varying(128),
    started_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    forward_at timestamp with time zone,
    slots integer DEFAULT 1 NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0002');
INSERT INTO public.api_key VALUES ('b8ylah8g', 'ward-a', 'a key', 'a369f4ecb343665a5d3a2d2b5873a2d8c9c956e1e6858db49950c3ae3092c6e5', 1, '2026-11-27 06:45:30.983951+00', NULL);
INSERT INTO public.assessment VALUES ('a-encoding', 'ward-a', 'encoding', 'spectrum', 'reference of a-encoding', 'routine', 'rehearsal', 'request-a-encoding', '2026-11-27 06:45:30.995646+00', '2026-11-27 06:45:31.252749+00', NULL, 'assessments/a-encoding/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838', NULL, 0, 32, NULL, NULL, NULL, NULL, NULL, NULL, 3, NULL, 0.0101875, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('a-failed', 'ward-a', 'failed', 'spectrum', 'reference of a-failed', 'routine', 'rehearsal', 'request-a-failed', '2026-11-27 06:45:32.559201+00', '2026-11-27 06:45:32.626748+00', '2026-11-27 06:45:32.626748+00', 'assessments/a-failed/material/f526795c95399cea27c055c842c3d6ab018ed0fa4f66f701c28ab22dec28237b', NULL, 0, NULL, NULL, 'internal_error', 'The assessment could not be completed because of an error inside the service.', 'Send the recording again; if it fails again, report it with the id of the assessment.', true, NULL, 3, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('a-preparing', 'ward-a', 'preparing', 'spectrum', 'reference of a-preparing', 'routine', 'rehearsal', 'request-a-preparing', '2026-11-27 06:45:32.668283+00', '2026-11-27 06:45:32.695728+00', NULL, 'assessments/a-preparing/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838', NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('a-scoring', 'ward-a', 'scoring', 'spectrum', 'reference of a-scoring', 'routine', 'rehearsal', 'request-a-scoring', '2026-11-27 06:45:31.274725+00', '2026-11-27 06:45:31.596905+00', NULL, 'assessments/a-scoring/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838', NULL, 32, 32, NULL, NULL, NULL, NULL, NULL, NULL, 5, NULL, 0.0101875, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('a-cancelled', 'ward-a', 'cancelled', 'spectrum', 'reference of a-cancelled', 'routine', 'rehearsal', 'request-a-cancelled', '2026-11-27 06:45:32.699633+00', '2026-11-27 06:45:32.728718+00', '2026-11-27 06:45:32.728718+00', 'assessments/a-cancelled/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838', NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('a-queued', 'ward-a', 'queued', 'spectrum', 'reference of a-queued', 'routine', 'rehearsal', 'request-a-queued', '2026-11-27 06:45:32.768343+00', '2026-11-27 06:45:32.768343+00', NULL, 'assessments/a-queued/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838', NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('a-succeeded', 'ward-a', 'succeeded', 'spectrum', 'reference of a-succeeded', 'routine', 'rehearsal', 'request-a-succeeded', '2026-11-27 06:45:31.645657+00', '2026-11-27 06:45:32.085235+00', '2026-11-27 06:45:32.085235+00', NULL, NULL, 32, 32, 'assessments/a-succeeded/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', NULL, NULL, NULL, NULL, '2026-11-27 06:45:32.2394+00', 7, '2026-11-27 06:45:32.239315+00', 0.0101875, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('a-abstained', 'ward-a', 'abstained', 'spectrum', 'reference of a-abstained', 'routine', 'rehearsal', 'request-a-abstained', '2026-11-27 06:45:32.271575+00', '2026-11-27 06:45:32.50582+00', '2026-11-27 06:45:32.50582+00', NULL, NULL, 0, 0, 'assessments/a-abstained/result/a4b875aaf96a6213305f5d5498c4f05fe5fe1c1ed5e83e87e6c379003b3cfb9c', NULL, NULL, NULL, NULL, '2026-11-27 06:45:32.547382+00', 5, '2026-11-27 06:45:32.54735+00', 0.00021875, NULL, NULL, NULL);
INSERT INTO public.assessment VALUES ('b-running-2', 'ward-a', 'queued', 'spectrum', NULL, 'batch', 'rehearsal', 'request-b-running-2', '2026-11-27 06:45:32.827925+00', '2026-11-27 06:45:32.827925+00', NULL, 'assessments/b-running-2/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838', NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL, 1, 'b-running', 2, 'line 2');
INSERT INTO public.assessment VALUES ('b-finished-1', 'ward-a', 'succeeded', 'spectrum', NULL, 'batch', 'rehearsal', 'request-b-finished-1', '2026-11-27 06:45:32.785445+00', '2026-11-27 06:45:33.46829+00', '2026-11-27 06:45:33.46829+00', NULL, NULL, 32, 32, 'assessments/b-finished-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', NULL, NULL, NULL, NULL, '2026-11-27 06:45:33.544654+00', 7, '2026-11-27 06:45:33.544604+00', 0.0101875, 'b-finished', 1, 'line 1');
INSERT INTO public.assessment VALUES ('b-running-1', 'ward-a', 'succeeded', 'spectrum', NULL, 'batch', 'rehearsal', 'request-b-running-1', '2026-11-27 06:45:32.827924+00', '2026-11-27 06:45:34.378024+00', '2026-11-27 06:45:34.378024+00', NULL, NULL, 32, 32, 'assessments/b-running-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', NULL, NULL, NULL, NULL, '2026-11-27 06:45:34.427824+00', 7, '2026-11-27 06:45:34.427781+00', 0.0101875, 'b-running', 1, 'line 1');
INSERT INTO public.assessment VALUES ('b-finished-2', 'ward-a', 'succeeded', 'spectrum', NULL, 'batch', 'rehearsal', 'request-b-finished-2', '2026-11-27 06:45:32.785446+00', '2026-11-27 06:45:33.873847+00', '2026-11-27 06:45:33.873847+00', NULL, NULL, 32, 32, 'assessments/b-finished-2/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', NULL, NULL, NULL, NULL, '2026-11-27 06:45:33.915854+00', 7, '2026-11-27 06:45:33.915796+00', 0.0101875, 'b-finished', 2, 'line 2');
INSERT INTO public.batch VALUES ('b-running', 'ward-a', 'running', 2, 'request-b-running', '2026-11-27 06:45:32.827924+00', '2026-11-27 06:45:32.827924+00', NULL, NULL, NULL);
INSERT INTO public.batch VALUES ('b-finished', 'ward-a', 'finished', 2, 'request-b-finished', '2026-11-27 06:45:32.785445+00', '2026-11-27 06:45:34.548076+00', '2026-11-27 06:45:34.548076+00', 'batches/b-finished/1795761932785445/output/', 'batches/b-finished/1795761932785445/errors/');
INSERT INTO public.delivery VALUES ('8411eaf1-5d80-4d12-a9c7-0d96366c128d', 'msg_52e59a9d45594e7398f2fbf2b8edcd67', '6ef51382-c5f2-4f05-b901-11eda109ec69', 'pending', 0, 0, NULL, NULL, '2026-11-27 06:45:32.108302+00', NULL, NULL, NULL);
INSERT INTO public.delivery VALUES ('ab8acf2f-c0aa-4d11-b6d4-88b971c92058', 'msg_1a3b8200e2db41f58d669c40005edfd4', '6ef51382-c5f2-4f05-b901-11eda109ec69', 'pending', 0, 0, NULL, NULL, '2026-11-27 06:45:32.515659+00', NULL, NULL, NULL);
INSERT INTO public.delivery VALUES ('ccada00f-6ae0-45d3-b629-204f9d743f60', 'msg_b600d6ff8ece4b01b6f4970bf06efbdc', '6ef51382-c5f2-4f05-b901-11eda109ec69', 'pending', 0, 0, NULL, NULL, '2026-11-27 06:45:32.647624+00', NULL, NULL, NULL);
INSERT INTO public.delivery VALUES ('69d329d3-8076-40b4-b285-f76def50dc6e', 'msg_42fa9cd4110f4f10ba74b11182266a7b', '6ef51382-c5f2-4f05-b901-11eda109ec69', 'pending', 0, 0, NULL, NULL, '2026-11-27 06:45:32.75444+00', NULL, NULL, NULL);
INSERT INTO public.delivery VALUES ('7995b129-9fef-4515-b936-448f2e141d68', 'msg_0f8233d085354bf09833a85b5ea63a7d', '6ef51382-c5f2-4f05-b901-11eda109ec69', 'pending', 0, 0, NULL, NULL, '2026-11-27 06:45:34.573537+00', NULL, NULL, NULL);
INSERT INTO public.idempotency VALUES ('ward-a', 'key-1', 'POST /v1/assessments', 'ee9806f4-9947-43b6-a33f-a03d59e9a555', '2026-11-27 06:46:04.601821+00', 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 202, '/v1/assessments/a-queued', '{}', '2026-11-27 06:45:34.601821+00');
INSERT INTO public.message VALUES ('msg_52e59a9d45594e7398f2fbf2b8edcd67', 'ward-a', 'assessment.succeeded', 'a-succeeded', '{"type":"assessment.succeeded","timestamp":"2026-11-27T06:45:32.108302Z","data":{"id":"a-succeeded","state":"succeeded","links":{"self":"/v1/assessments/a-succeeded"}}}', '2026-11-27 06:45:32.108302+00');
INSERT INTO public.message VALUES ('msg_1a3b8200e2db41f58d669c40005edfd4', 'ward-a', 'assessment.abstained', 'a-abstained', '{"type":"assessment.abstained","timestamp":"2026-11-27T06:45:32.515659Z","data":{"id":"a-abstained","state":"abstained","links":{"self":"/v1/assessments/a-abstained"}}}', '2026-11-27 06:45:32.515659+00');
INSERT INTO public.message VALUES ('msg_b600d6ff8ece4b01b6f4970bf06efbdc', 'ward-a', 'assessment.failed', 'a-failed', '{"type":"assessment.failed","timestamp":"2026-11-27T06:45:32.647624Z","data":{"id":"a-failed","state":"failed","links":{"self":"/v1/assessments/a-failed"}}}', '2026-11-27 06:45:32.647624+00');
INSERT INTO public.message VALUES ('msg_42fa9cd4110f4f10ba74b11182266a7b', 'ward-a', 'assessment.cancelled', 'a-cancelled', '{"type":"assessment.cancelled","timestamp":"2026-11-27T06:45:32.754440Z","data":{"id":"a-cancelled","state":"cancelled","links":{"self":"/v1/assessments/a-cancelled"}}}', '2026-11-27 06:45:32.75444+00');
INSERT INTO public.message VALUES ('msg_0f8233d085354bf09833a85b5ea63a7d', 'ward-a', 'batch.finished', 'b-finished', '{"type":"batch.finished","timestamp":"2026-11-27T06:45:34.573537Z","data":{"id":"b-finished","state":"finished","links":{"self":"/v1/batches/b-finished"}}}', '2026-11-27 06:45:34.573537+00');
INSERT INTO public.model VALUES ('sha256:rehearsal', 'rehearsal', '1', true, '{"spectrum": ["none", "mild", "severe"]}', '{"audio": "none"}', '2026-11-27 06:45:30.845617+00', '2026-11-27 06:45:30.845617+00');
INSERT INTO public.stage VALUES ('3767a3d3-472f-44df-a371-f9f8925aed84', 'a-encoding', 'prepare', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.073642+00', NULL, NULL, NULL, 'assessments/a-encoding/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251', '2026-11-27 06:45:31.191391+00', '2026-11-27 06:45:31.248329+00');
INSERT INTO public.stage VALUES ('69cdf93d-c86c-4cf1-aa90-d424b936bdd0', 'a-encoding', 'encode', 0, 'ready', 16, 0, 0, NULL, NULL, '2026-11-27 06:45:31.252875+00', NULL, NULL, 'assessments/a-encoding/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a', NULL, NULL, NULL);
INSERT INTO public.stage VALUES ('08b2ad93-8892-44a1-99a3-94b2b2bd68dd', 'a-encoding', 'encode', 1, 'ready', 16, 0, 0, NULL, NULL, '2026-11-27 06:45:31.252999+00', NULL, NULL, 'assessments/a-encoding/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d', NULL, NULL, NULL);
INSERT INTO public.stage VALUES ('034ecd58-5eda-4d7f-a69d-e61babf68a63', 'a-scoring', 'prepare', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.287177+00', NULL, NULL, NULL, 'assessments/a-scoring/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251', '2026-11-27 06:45:31.339601+00', '2026-11-27 06:45:31.366619+00');
INSERT INTO public.stage VALUES ('e48d93de-0711-44e2-909b-27bed5cfe4b9', 'a-scoring', 'encode', 0, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.369398+00', NULL, NULL, 'assessments/a-scoring/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a', 'assessments/a-scoring/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:31.422997+00', '2026-11-27 06:45:31.459201+00');
INSERT INTO public.stage VALUES ('e635b567-1d94-4e8b-93f3-b6fa91a9e116', 'a-scoring', 'encode', 1, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.369516+00', NULL, NULL, 'assessments/a-scoring/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d', 'assessments/a-scoring/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:31.570737+00', '2026-11-27 06:45:31.590906+00');
INSERT INTO public.stage VALUES ('4f1eb72c-a11a-4536-b5b2-02d2fcf1faa0', 'a-scoring', 'score', 0, 'ready', 0, 0, 0, NULL, NULL, '2026-11-27 06:45:31.62388+00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.stage VALUES ('eb6e5cdf-aa87-48bb-be84-df0a4fd51e0a', 'a-succeeded', 'prepare', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.653615+00', NULL, NULL, NULL, 'assessments/a-succeeded/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251', '2026-11-27 06:45:31.707996+00', '2026-11-27 06:45:31.735975+00');
INSERT INTO public.stage VALUES ('5416b24b-dfda-4110-9144-2e5ff3b18213', 'a-succeeded', 'encode', 0, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.738601+00', NULL, NULL, 'assessments/a-succeeded/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a', 'assessments/a-succeeded/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:31.828092+00', '2026-11-27 06:45:31.848294+00');
INSERT INTO public.stage VALUES ('cb62f873-f6f6-4e6d-b1f9-06794c40ba1a', 'a-succeeded', 'encode', 1, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.738727+00', NULL, NULL, 'assessments/a-succeeded/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d', 'assessments/a-succeeded/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:31.916311+00', '2026-11-27 06:45:31.940945+00');
INSERT INTO public.stage VALUES ('7486019e-4c31-42b8-a69a-bb417a0bd0ae', 'a-succeeded', 'score', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:31.970427+00', NULL, NULL, NULL, 'assessments/a-succeeded/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', '2026-11-27 06:45:32.055963+00', '2026-11-27 06:45:32.082369+00');
INSERT INTO public.stage VALUES ('bd981734-2ba8-4104-9d93-0c66344fbab5', 'a-abstained', 'prepare', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:32.27455+00', NULL, NULL, NULL, 'assessments/a-abstained/work/prepare/7065c0c2bd56f42a04b7d6804e9828f396df661c28efb11693a6563cc0b0ffb5', '2026-11-27 06:45:32.343768+00', '2026-11-27 06:45:32.372331+00');
INSERT INTO public.stage VALUES ('9f8b930c-cd02-4f5b-9b9d-a27ac4b831f1', 'a-abstained', 'score', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:32.374691+00', NULL, NULL, NULL, 'assessments/a-abstained/result/a4b875aaf96a6213305f5d5498c4f05fe5fe1c1ed5e83e87e6c379003b3cfb9c', '2026-11-27 06:45:32.468009+00', '2026-11-27 06:45:32.500082+00');
INSERT INTO public.stage VALUES ('83247bea-7a9d-473d-bf48-61d789957efb', 'a-failed', 'prepare', 0, 'failed', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:32.563673+00', NULL, NULL, NULL, NULL, '2026-11-27 06:45:32.59885+00', NULL);
INSERT INTO public.stage VALUES ('3725cc70-dfc3-419d-823c-452391103785', 'a-preparing', 'prepare', 0, 'leased', 0, 1, 1, 'host-1-aaaaaaaa', '2026-11-27 06:46:32.687727+00', '2026-11-27 06:45:32.671118+00', NULL, NULL, NULL, NULL, '2026-11-27 06:45:32.687727+00', NULL);
INSERT INTO public.stage VALUES ('258bfc80-c8a7-4463-919c-7064aced1b50', 'a-cancelled', 'prepare', 0, 'cancelled', 0, 0, 0, NULL, NULL, '2026-11-27 06:45:32.704844+00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.stage VALUES ('e158b4fa-5da3-4516-b2d5-7d56936e6781', 'a-queued', 'prepare', 0, 'ready', 0, 0, 0, NULL, NULL, '2026-11-27 06:45:32.776758+00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.stage VALUES ('632def08-96b9-433b-8aa0-70b95d802ad3', 'b-running-2', 'prepare', 0, 'ready', 0, 0, 0, NULL, NULL, '2026-11-27 06:45:32.838581+00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.stage VALUES ('e31688ff-8a44-405e-bd3d-b56ce683c98b', 'b-finished-1', 'prepare', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:32.808414+00', NULL, NULL, NULL, 'assessments/b-finished-1/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251', '2026-11-27 06:45:32.935712+00', '2026-11-27 06:45:32.996964+00');
INSERT INTO public.stage VALUES ('32415f05-ceba-4326-a178-1336df563ec2', 'b-finished-1', 'encode', 0, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:33.005235+00', NULL, NULL, 'assessments/b-finished-1/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a', 'assessments/b-finished-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:33.136106+00', '2026-11-27 06:45:33.166254+00');
INSERT INTO public.stage VALUES ('491c6e58-492f-49cb-a540-2d48d98ecd15', 'b-finished-1', 'encode', 1, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:33.005379+00', NULL, NULL, 'assessments/b-finished-1/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d', 'assessments/b-finished-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:33.219866+00', '2026-11-27 06:45:33.241693+00');
INSERT INTO public.stage VALUES ('57fe5e17-ec0d-436e-acde-25d473d6f696', 'b-finished-1', 'score', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:33.29602+00', NULL, NULL, NULL, 'assessments/b-finished-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', '2026-11-27 06:45:33.388437+00', '2026-11-27 06:45:33.459137+00');
INSERT INTO public.stage VALUES ('df9e6e83-411b-48a6-92f2-c2cdac567783', 'b-finished-2', 'prepare', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:32.808414+00', NULL, NULL, NULL, 'assessments/b-finished-2/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251', '2026-11-27 06:45:33.579755+00', '2026-11-27 06:45:33.60155+00');
INSERT INTO public.stage VALUES ('2f6f323d-a449-4ea2-bf7d-663c4da9c4e2', 'b-finished-2', 'encode', 0, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:33.604648+00', NULL, NULL, 'assessments/b-finished-2/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a', 'assessments/b-finished-2/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:33.640629+00', '2026-11-27 06:45:33.652229+00');
INSERT INTO public.stage VALUES ('46680466-ed53-4a08-a0e5-9ef0ea107853', 'b-finished-2', 'encode', 1, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:33.604822+00', NULL, NULL, 'assessments/b-finished-2/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d', 'assessments/b-finished-2/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:33.714218+00', '2026-11-27 06:45:33.7423+00');
INSERT INTO public.stage VALUES ('27b84acc-ed59-440f-bc3f-8e95c0100cc5', 'b-finished-2', 'score', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:33.759426+00', NULL, NULL, NULL, 'assessments/b-finished-2/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', '2026-11-27 06:45:33.813265+00', '2026-11-27 06:45:33.870017+00');
INSERT INTO public.stage VALUES ('dc632b6d-9063-48b7-8c39-6ae516fcc820', 'b-running-1', 'prepare', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:32.838581+00', NULL, NULL, NULL, 'assessments/b-running-1/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251', '2026-11-27 06:45:33.97737+00', '2026-11-27 06:45:34.003333+00');
INSERT INTO public.stage VALUES ('3a30ca0f-2605-444e-b486-5145af494039', 'b-running-1', 'encode', 0, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:34.007807+00', NULL, NULL, 'assessments/b-running-1/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a', 'assessments/b-running-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:34.083898+00', '2026-11-27 06:45:34.144557+00');
INSERT INTO public.stage VALUES ('9873a145-19b1-45da-b203-753b9004a719', 'b-running-1', 'encode', 1, 'done', 16, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:34.007937+00', NULL, NULL, 'assessments/b-running-1/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d', 'assessments/b-running-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf', '2026-11-27 06:45:34.21818+00', '2026-11-27 06:45:34.25219+00');
INSERT INTO public.stage VALUES ('999a0bff-467f-4ae9-94f0-b562ebd2f292', 'b-running-1', 'score', 0, 'done', 0, 1, 1, 'host-1-aaaaaaaa', NULL, '2026-11-27 06:45:34.288397+00', NULL, NULL, NULL, 'assessments/b-running-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b', '2026-11-27 06:45:34.334353+00', '2026-11-27 06:45:34.373493+00');
INSERT INTO public.upload VALUES ('60e711df-3176-4d6e-b467-ecf04f48cc90', 'ward-a', 1000, 500, 0, NULL, '2026-11-27 06:45:34.656899+00', '2026-11-27 06:45:34.656899+00', NULL, NULL, NULL, NULL);
INSERT INTO public.webhook VALUES ('6ef51382-c5f2-4f05-b901-11eda109ec69', 'ward-a', 'https://clinic.example/hook', '[]', 'enabled', NULL, 'whsec_B2VDoyQltRZ9mfZXAAM2sf6ZsraQ/TeRle010wmHQPE=', NULL, NULL, NULL, '2026-11-27 06:45:30.977795+00', '2026-11-27 06:45:30.977795+00');
INSERT INTO public.worker VALUES ('host-1-aaaaaaaa', '["prepare", "encode", "score"]', 'sha256:rehearsal', '2026-11-27 06:45:30.845617+00', '2026-11-27 06:45:30.845617+00', '2026-11-27 06:45:30.845617+00', 1);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT pk_api_key PRIMARY KEY (id);
ALTER TABLE ONLY public.assessment
    ADD CONSTRAINT pk_assessment PRIMARY KEY (id);
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT pk_batch PRIMARY KEY (id);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT pk_delivery PRIMARY KEY (id);
ALTER TABLE ONLY public.delivery_attempt
    ADD CONSTRAINT pk_delivery_attempt PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT pk_idempotency PRIMARY KEY (tenant, key);
ALTER TABLE ONLY public.leadership
    ADD CONSTRAINT pk_leadership PRIMARY KEY (role);
ALTER TABLE ONLY public.message
    ADD CONSTRAINT pk_message PRIMARY KEY (id);
ALTER TABLE ONLY public.model
    ADD CONSTRAINT pk_model PRIMARY KEY (digest);
ALTER TABLE ONLY public.reservation
    ADD CONSTRAINT pk_reservation PRIMARY KEY (id);
ALTER TABLE ONLY public.stage
    ADD CONSTRAINT pk_stage PRIMARY KEY (id);
ALTER TABLE ONLY public.upload
    ADD CONSTRAINT pk_upload PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT pk_webhook PRIMARY KEY (id);
ALTER TABLE ONLY public.worker
    ADD CONSTRAINT pk_worker PRIMARY KEY (id);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT uq_delivery_message_id_webhook_id UNIQUE (message_id, webhook_id);
ALTER TABLE ONLY public.stage
    ADD CONSTRAINT uq_stage_assessment_id_kind_index UNIQUE (assessment_id, kind, index);
CREATE INDEX ix_assessment_batch ON public.assessment USING btree (batch_id, state);
CREATE INDEX ix_assessment_line ON public.assessment USING btree (batch_id, batch_line);
CREATE INDEX ix_assessment_page ON public.assessment USING btree (tenant, created_at, id);
CREATE INDEX ix_assessment_state ON public.assessment USING btree (state);
CREATE INDEX ix_batch_page ON public.batch USING btree (tenant, created_at, id);
CREATE INDEX ix_batch_state ON public.batch USING btree (state);
CREATE INDEX ix_delivery_attempt_delivery ON public.delivery_attempt USING btree (delivery_id, attempt);
CREATE INDEX ix_delivery_queue ON public.delivery USING btree (state, enqueued_at);
CREATE INDEX ix_delivery_webhook ON public.delivery USING btree (webhook_id, state);
CREATE INDEX ix_idempotency_age ON public.idempotency USING btree (created_at);
CREATE INDEX ix_message_age ON public.message USING btree (created_at);
CREATE INDEX ix_reservation_identity ON public.reservation USING btree (tenant, identity, due_at);
CREATE INDEX ix_stage_lease ON public.stage USING btree (state, lease_until);
CREATE INDEX ix_stage_pace ON public.stage USING btree (kind, finished_at);
CREATE INDEX ix_stage_queue ON public.stage USING btree (kind, state, enqueued_at);
CREATE INDEX ix_upload_age ON public.upload USING btree (updated_at);
CREATE INDEX ix_webhook_tenant ON public.webhook USING btree (tenant);
ALTER TABLE ONLY public.delivery_attempt
    ADD CONSTRAINT fk_delivery_attempt_delivery_id FOREIGN KEY (delivery_id) REFERENCES public.delivery(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT fk_delivery_message_id FOREIGN KEY (message_id) REFERENCES public.message(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT fk_delivery_webhook_id FOREIGN KEY (webhook_id) REFERENCES public.webhook(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.stage
    ADD CONSTRAINT fk_stage_assessment_id FOREIGN KEY (assessment_id) REFERENCES public.assessment(id) ON DELETE CASCADE;
