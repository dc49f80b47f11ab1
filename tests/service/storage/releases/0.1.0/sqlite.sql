BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE api_key (
	id VARCHAR(8) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	pepper_version INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	revoked_at DATETIME, 
	CONSTRAINT pk_api_key PRIMARY KEY (id)
);
INSERT INTO "api_key" VALUES('7q9w03d1','ward-a','a key','7cd178e0fd5daeaacb1b5ff3facc722199888576617ae3283a1beb72de323437',1,'2026-11-27 06:45:07.617768',NULL);
CREATE TABLE assessment (
	id VARCHAR(36) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	task VARCHAR(64) NOT NULL, 
	reference VARCHAR(64), 
	priority VARCHAR(16) NOT NULL, 
	bundle VARCHAR(128) NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	audio_key VARCHAR(256), 
	transcript_key VARCHAR(256), 
	segments_done INTEGER NOT NULL, 
	segments_total INTEGER, 
	result_key VARCHAR(256), 
	failure_code VARCHAR(64), 
	failure_detail VARCHAR(512), 
	failure_advice VARCHAR(512), 
	failure_retryable BOOLEAN, 
	material_removed_at DATETIME, version INTEGER DEFAULT '0' NOT NULL, work_removed_at DATETIME, audio_seconds DOUBLE, batch_id VARCHAR(36), batch_line INTEGER, custom_id VARCHAR(128), 
	CONSTRAINT pk_assessment PRIMARY KEY (id)
);
INSERT INTO "assessment" VALUES('a-encoding','ward-a','encoding','spectrum','reference of a-encoding','routine','rehearsal','request-a-encoding','2026-11-27 06:45:07.639239','2026-11-27 06:45:07.741197',NULL,'assessments/a-encoding/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838',NULL,0,32,NULL,NULL,NULL,NULL,NULL,NULL,3,NULL,0.0101875,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('a-scoring','ward-a','scoring','spectrum','reference of a-scoring','routine','rehearsal','request-a-scoring','2026-11-27 06:45:07.756128','2026-11-27 06:45:07.848233',NULL,'assessments/a-scoring/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838',NULL,32,32,NULL,NULL,NULL,NULL,NULL,NULL,5,NULL,0.0101875,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('a-succeeded','ward-a','succeeded','spectrum','reference of a-succeeded','routine','rehearsal','request-a-succeeded','2026-11-27 06:45:07.858256','2026-11-27 06:45:08.011880','2026-11-27 06:45:08.011880',NULL,NULL,32,32,'assessments/a-succeeded/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b',NULL,NULL,NULL,NULL,'2026-11-27 06:45:08.040913',7,'2026-11-27 06:45:08.040879',0.0101875,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('a-abstained','ward-a','abstained','spectrum','reference of a-abstained','routine','rehearsal','request-a-abstained','2026-11-27 06:45:08.044652','2026-11-27 06:45:08.070409','2026-11-27 06:45:08.070409',NULL,NULL,0,0,'assessments/a-abstained/result/a4b875aaf96a6213305f5d5498c4f05fe5fe1c1ed5e83e87e6c379003b3cfb9c',NULL,NULL,NULL,NULL,'2026-11-27 06:45:08.086514',5,'2026-11-27 06:45:08.086484',0.00021875,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('a-failed','ward-a','failed','spectrum','reference of a-failed','routine','rehearsal','request-a-failed','2026-11-27 06:45:08.093362','2026-11-27 06:45:08.124526','2026-11-27 06:45:08.124526','assessments/a-failed/material/f526795c95399cea27c055c842c3d6ab018ed0fa4f66f701c28ab22dec28237b',NULL,0,NULL,NULL,'internal_error','The assessment could not be completed because of an error inside the service.','Send the recording again; if it fails again, report it with the id of the assessment.',1,NULL,3,NULL,1.0,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('a-preparing','ward-a','preparing','spectrum','reference of a-preparing','routine','rehearsal','request-a-preparing','2026-11-27 06:45:08.140335','2026-11-27 06:45:08.159522',NULL,'assessments/a-preparing/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,2,NULL,1.0,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('a-cancelled','ward-a','cancelled','spectrum','reference of a-cancelled','routine','rehearsal','request-a-cancelled','2026-11-27 06:45:08.161597','2026-11-27 06:45:08.172162','2026-11-27 06:45:08.172162','assessments/a-cancelled/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,2,NULL,1.0,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('a-queued','ward-a','queued','spectrum','reference of a-queued','routine','rehearsal','request-a-queued','2026-11-27 06:45:08.185288','2026-11-27 06:45:08.185288',NULL,'assessments/a-queued/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,1.0,NULL,NULL,NULL);
INSERT INTO "assessment" VALUES('b-finished-1','ward-a','succeeded','spectrum',NULL,'batch','rehearsal','request-b-finished-1','2026-11-27 06:45:08.193808','2026-11-27 06:45:08.638017','2026-11-27 06:45:08.638017',NULL,NULL,32,32,'assessments/b-finished-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b',NULL,NULL,NULL,NULL,'2026-11-27 06:45:08.674829',7,'2026-11-27 06:45:08.674787',0.0101875,'b-finished',1,'line 1');
INSERT INTO "assessment" VALUES('b-finished-2','ward-a','succeeded','spectrum',NULL,'batch','rehearsal','request-b-finished-2','2026-11-27 06:45:08.193809','2026-11-27 06:45:09.630715','2026-11-27 06:45:09.630715',NULL,NULL,32,32,'assessments/b-finished-2/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b',NULL,NULL,NULL,NULL,'2026-11-27 06:45:09.707865',7,'2026-11-27 06:45:09.707818',0.0101875,'b-finished',2,'line 2');
INSERT INTO "assessment" VALUES('b-running-1','ward-a','succeeded','spectrum',NULL,'batch','rehearsal','request-b-running-1','2026-11-27 06:45:08.235417','2026-11-27 06:45:10.151473','2026-11-27 06:45:10.151473',NULL,NULL,32,32,'assessments/b-running-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b',NULL,NULL,NULL,NULL,'2026-11-27 06:45:10.201514',7,'2026-11-27 06:45:10.201466',0.0101875,'b-running',1,'line 1');
INSERT INTO "assessment" VALUES('b-running-2','ward-a','queued','spectrum',NULL,'batch','rehearsal','request-b-running-2','2026-11-27 06:45:08.235418','2026-11-27 06:45:08.235418',NULL,'assessments/b-running-2/material/d118c3c75c4722f6316f93578b3d19bf66f18c71f060c46bc736af26a8c48838',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,1.0,'b-running',2,'line 2');
CREATE TABLE batch (
	id VARCHAR(36) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	lines INTEGER NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	output_key VARCHAR(256), 
	errors_key VARCHAR(256), 
	CONSTRAINT pk_batch PRIMARY KEY (id)
);
INSERT INTO "batch" VALUES('b-finished','ward-a','finished',2,'request-b-finished','2026-11-27 06:45:08.193808','2026-11-27 06:45:10.342335','2026-11-27 06:45:10.342335','batches/b-finished/1795761908193808/output/','batches/b-finished/1795761908193808/errors/');
INSERT INTO "batch" VALUES('b-running','ward-a','running',2,'request-b-running','2026-11-27 06:45:08.235417','2026-11-27 06:45:08.235417',NULL,NULL,NULL);
CREATE TABLE delivery (
	id VARCHAR(36) NOT NULL, 
	message_id VARCHAR(40) NOT NULL, 
	webhook_id VARCHAR(36) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	fence INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	owner VARCHAR(128), 
	lease_until DATETIME, 
	created_at DATETIME NOT NULL, 
	enqueued_at DATETIME, 
	not_before DATETIME, 
	finished_at DATETIME, 
	CONSTRAINT pk_delivery PRIMARY KEY (id), 
	CONSTRAINT fk_delivery_message_id FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE, 
	CONSTRAINT fk_delivery_webhook_id FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE, 
	CONSTRAINT uq_delivery_message_id_webhook_id UNIQUE (message_id, webhook_id)
);
INSERT INTO "delivery" VALUES('779878e2-2c46-4b80-a97b-782f330a489c','msg_65aa76d69a014724ba1cfe4553df9dee','a72c03a5-02af-41e7-b9d4-13fcbbb52781','pending',0,0,NULL,NULL,'2026-11-27 06:45:08.016541',NULL,NULL,NULL);
INSERT INTO "delivery" VALUES('dd580bbe-4901-41eb-a07f-ddb3f98db17c','msg_20574c4e2a4445d8898db3c1a8d703cb','a72c03a5-02af-41e7-b9d4-13fcbbb52781','pending',0,0,NULL,NULL,'2026-11-27 06:45:08.072058',NULL,NULL,NULL);
INSERT INTO "delivery" VALUES('e250f7fb-85a4-4438-ba8a-0764959f8f7b','msg_f298ccb23cfd4f5c85a5c3cb78d7310e','a72c03a5-02af-41e7-b9d4-13fcbbb52781','pending',0,0,NULL,NULL,'2026-11-27 06:45:08.132283',NULL,NULL,NULL);
INSERT INTO "delivery" VALUES('e6c4622b-e3d8-468f-bdf0-adeef85c365d','msg_f64d07c863544eb5afeab616776a8b08','a72c03a5-02af-41e7-b9d4-13fcbbb52781','pending',0,0,NULL,NULL,'2026-11-27 06:45:08.174897',NULL,NULL,NULL);
INSERT INTO "delivery" VALUES('8af6d227-099a-4ee4-9f87-c3fa7cd5bdcb','msg_eb5091293ff346cb968b113275188d76','a72c03a5-02af-41e7-b9d4-13fcbbb52781','pending',0,0,NULL,NULL,'2026-11-27 06:45:10.392344',NULL,NULL,NULL);
CREATE TABLE delivery_attempt (
	id VARCHAR(36) NOT NULL, 
	delivery_id VARCHAR(36) NOT NULL, 
	attempt INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	seconds DOUBLE NOT NULL, 
	status INTEGER, 
	error VARCHAR(64), 
	CONSTRAINT pk_delivery_attempt PRIMARY KEY (id), 
	CONSTRAINT fk_delivery_attempt_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id) ON DELETE CASCADE
);
CREATE TABLE idempotency (
	tenant VARCHAR(64) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	route VARCHAR(128) NOT NULL, 
	holder VARCHAR(36) NOT NULL, 
	held_until DATETIME NOT NULL, 
	digest VARCHAR(64), 
	status INTEGER, 
	location VARCHAR(256), 
	body TEXT, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_idempotency PRIMARY KEY (tenant, "key")
);
INSERT INTO "idempotency" VALUES('ward-a','key-1','POST /v1/assessments','0c8aec1a-63d9-4856-8eb0-5f1b17aecb36','2026-11-27 06:45:40.453696','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',202,'/v1/assessments/a-queued','{}','2026-11-27 06:45:10.453696');
CREATE TABLE leadership (
	role VARCHAR(32) NOT NULL, 
	owner VARCHAR(128) NOT NULL, 
	lease_until DATETIME NOT NULL, 
	CONSTRAINT pk_leadership PRIMARY KEY (role)
);
CREATE TABLE message (
	id VARCHAR(40) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	event VARCHAR(64) NOT NULL, 
	subject VARCHAR(36) NOT NULL, 
	payload TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_message PRIMARY KEY (id)
);
INSERT INTO "message" VALUES('msg_65aa76d69a014724ba1cfe4553df9dee','ward-a','assessment.succeeded','a-succeeded','{"type":"assessment.succeeded","timestamp":"2026-11-27T06:45:08.016541Z","data":{"id":"a-succeeded","state":"succeeded","links":{"self":"/v1/assessments/a-succeeded"}}}','2026-11-27 06:45:08.016541');
INSERT INTO "message" VALUES('msg_20574c4e2a4445d8898db3c1a8d703cb','ward-a','assessment.abstained','a-abstained','{"type":"assessment.abstained","timestamp":"2026-11-27T06:45:08.072058Z","data":{"id":"a-abstained","state":"abstained","links":{"self":"/v1/assessments/a-abstained"}}}','2026-11-27 06:45:08.072058');
INSERT INTO "message" VALUES('msg_f298ccb23cfd4f5c85a5c3cb78d7310e','ward-a','assessment.failed','a-failed','{"type":"assessment.failed","timestamp":"2026-11-27T06:45:08.132283Z","data":{"id":"a-failed","state":"failed","links":{"self":"/v1/assessments/a-failed"}}}','2026-11-27 06:45:08.132283');
INSERT INTO "message" VALUES('msg_f64d07c863544eb5afeab616776a8b08','ward-a','assessment.cancelled','a-cancelled','{"type":"assessment.cancelled","timestamp":"2026-11-27T06:45:08.174897Z","data":{"id":"a-cancelled","state":"cancelled","links":{"self":"/v1/assessments/a-cancelled"}}}','2026-11-27 06:45:08.174897');
INSERT INTO "message" VALUES('msg_eb5091293ff346cb968b113275188d76','ward-a','batch.finished','b-finished','{"type":"batch.finished","timestamp":"2026-11-27T06:45:10.392344Z","data":{"id":"b-finished","state":"finished","links":{"self":"/v1/batches/b-finished"}}}','2026-11-27 06:45:10.392344');
CREATE TABLE model (
	digest VARCHAR(128) NOT NULL, 
	bundle VARCHAR(128) NOT NULL, 
	version VARCHAR(64) NOT NULL, 
	demonstration BOOLEAN NOT NULL, 
	tasks JSON NOT NULL, 
	encoders JSON NOT NULL, 
	loaded_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_model PRIMARY KEY (digest)
);
INSERT INTO "model" VALUES('sha256:rehearsal','rehearsal','1',1,'{"spectrum": ["none", "mild", "severe"]}','{"audio": "none"}','2026-11-27 06:45:07.521959','2026-11-27 06:45:07.521959');
CREATE TABLE reservation (
	id VARCHAR(36) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	identity VARCHAR(64) NOT NULL, 
	due_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_reservation PRIMARY KEY (id)
);
CREATE TABLE stage (
	id VARCHAR(36) NOT NULL, 
	assessment_id VARCHAR(36) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"index" INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	segments INTEGER NOT NULL, 
	fence INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	owner VARCHAR(128), 
	lease_until DATETIME, 
	created_at DATETIME NOT NULL, 
	enqueued_at DATETIME, 
	not_before DATETIME, 
	input_key VARCHAR(256), 
	output_key VARCHAR(256), claimed_at DATETIME, finished_at DATETIME, 
	CONSTRAINT pk_stage PRIMARY KEY (id), 
	CONSTRAINT fk_stage_assessment_id FOREIGN KEY(assessment_id) REFERENCES assessment (id) ON DELETE CASCADE, 
	CONSTRAINT uq_stage_assessment_id_kind_index UNIQUE (assessment_id, kind, "index")
);
INSERT INTO "stage" VALUES('61f5e9cb-e786-4834-bbca-fe92c77b06bc','a-encoding','prepare',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.652849',NULL,NULL,NULL,'assessments/a-encoding/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251','2026-11-27 06:45:07.704689','2026-11-27 06:45:07.732851');
INSERT INTO "stage" VALUES('ce76e95a-2b65-4194-a568-fb858440273c','a-encoding','encode',0,'ready',16,0,0,NULL,NULL,'2026-11-27 06:45:07.741283',NULL,NULL,'assessments/a-encoding/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a',NULL,NULL,NULL);
INSERT INTO "stage" VALUES('7c376141-3f1a-450a-a0e0-995ef29810c3','a-encoding','encode',1,'ready',16,0,0,NULL,NULL,'2026-11-27 06:45:07.741397',NULL,NULL,'assessments/a-encoding/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d',NULL,NULL,NULL);
INSERT INTO "stage" VALUES('780c62d5-7d69-41e9-b0a9-53e2d8b3ff7f','a-scoring','prepare',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.757516',NULL,NULL,NULL,'assessments/a-scoring/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251','2026-11-27 06:45:07.782134','2026-11-27 06:45:07.806153');
INSERT INTO "stage" VALUES('446435da-3ea7-4024-bc10-5347a29e9cb8','a-scoring','encode',0,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.807217',NULL,NULL,'assessments/a-scoring/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a','assessments/a-scoring/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:07.813152','2026-11-27 06:45:07.818026');
INSERT INTO "stage" VALUES('a6762d19-07d7-4eae-87b8-712a54cca077','a-scoring','encode',1,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.807280',NULL,NULL,'assessments/a-scoring/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d','assessments/a-scoring/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:07.838661','2026-11-27 06:45:07.847003');
INSERT INTO "stage" VALUES('d2b774ca-1c1e-43b7-9c3e-002868d0ab97','a-scoring','score',0,'ready',0,0,0,NULL,NULL,'2026-11-27 06:45:07.850620',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stage" VALUES('124e1b1e-f128-41da-b2e1-435b143b7424','a-succeeded','prepare',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.859503',NULL,NULL,NULL,'assessments/a-succeeded/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251','2026-11-27 06:45:07.865881','2026-11-27 06:45:07.887017');
INSERT INTO "stage" VALUES('e4b95f26-24d1-40ca-99b6-bf060bdf1726','a-succeeded','encode',0,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.888854',NULL,NULL,'assessments/a-succeeded/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a','assessments/a-succeeded/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:07.911448','2026-11-27 06:45:07.923275');
INSERT INTO "stage" VALUES('3651803c-0df5-4e2a-90c5-0d38d69d30c6','a-succeeded','encode',1,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.888941',NULL,NULL,'assessments/a-succeeded/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d','assessments/a-succeeded/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:07.948821','2026-11-27 06:45:07.960764');
INSERT INTO "stage" VALUES('4f4b332e-0f1a-493a-814a-ba6c315acf02','a-succeeded','score',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:07.969232',NULL,NULL,NULL,'assessments/a-succeeded/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b','2026-11-27 06:45:07.986887','2026-11-27 06:45:08.010492');
INSERT INTO "stage" VALUES('7bd53630-ffa9-40cd-bc52-79f7c585d491','a-abstained','prepare',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.045445',NULL,NULL,NULL,'assessments/a-abstained/work/prepare/7065c0c2bd56f42a04b7d6804e9828f396df661c28efb11693a6563cc0b0ffb5','2026-11-27 06:45:08.050022','2026-11-27 06:45:08.055997');
INSERT INTO "stage" VALUES('f7076f1b-a284-4e5a-8e5d-192d4a483c78','a-abstained','score',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.056992',NULL,NULL,NULL,'assessments/a-abstained/result/a4b875aaf96a6213305f5d5498c4f05fe5fe1c1ed5e83e87e6c379003b3cfb9c','2026-11-27 06:45:08.062147','2026-11-27 06:45:08.069453');
INSERT INTO "stage" VALUES('ec8e90cc-273a-4b05-8b36-c18ec872d4e5','a-failed','prepare',0,'failed',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.094547',NULL,NULL,NULL,NULL,'2026-11-27 06:45:08.099968',NULL);
INSERT INTO "stage" VALUES('9cd243d9-fd24-4129-b79b-629c3e1be05a','a-preparing','prepare',0,'leased',0,1,1,'host-1-aaaaaaaa','2026-11-27 06:46:08.149707','2026-11-27 06:45:08.141651',NULL,NULL,NULL,NULL,'2026-11-27 06:45:08.149707',NULL);
INSERT INTO "stage" VALUES('c1a1a6c8-2f7d-4100-8e1d-b11d4857cada','a-cancelled','prepare',0,'cancelled',0,0,0,NULL,NULL,'2026-11-27 06:45:08.162526',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stage" VALUES('a316d311-e7a2-42be-9dbf-7c31bb7d9b24','a-queued','prepare',0,'ready',0,0,0,NULL,NULL,'2026-11-27 06:45:08.186540',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stage" VALUES('922953b4-bf0a-4cdc-b18f-b53870109419','b-finished-1','prepare',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.219714',NULL,NULL,NULL,'assessments/b-finished-1/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251','2026-11-27 06:45:08.265007','2026-11-27 06:45:08.344905');
INSERT INTO "stage" VALUES('c53d244a-e5a2-48ba-9024-36663494910f','b-finished-2','prepare',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.219714',NULL,NULL,NULL,'assessments/b-finished-2/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251','2026-11-27 06:45:08.721736','2026-11-27 06:45:08.741534');
INSERT INTO "stage" VALUES('f291980e-6c3c-4b11-ba53-391c25b93999','b-running-1','prepare',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.236541',NULL,NULL,NULL,'assessments/b-running-1/work/prepare/77a05e990a11529d35c679b4dbece58f441289bb532bac6c17b5b9e880e9c251','2026-11-27 06:45:09.773093','2026-11-27 06:45:09.810819');
INSERT INTO "stage" VALUES('968cfdcd-c71c-4239-a4d1-89eec765f432','b-running-2','prepare',0,'ready',0,0,0,NULL,NULL,'2026-11-27 06:45:08.236541',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stage" VALUES('6f79a32a-e780-4340-a4e8-19f619c75fbc','b-finished-1','encode',0,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.346076',NULL,NULL,'assessments/b-finished-1/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a','assessments/b-finished-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:08.398612','2026-11-27 06:45:08.425206');
INSERT INTO "stage" VALUES('86a8ec29-ce01-44bc-8507-e16e8f243d16','b-finished-1','encode',1,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.346150',NULL,NULL,'assessments/b-finished-1/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d','assessments/b-finished-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:08.458914','2026-11-27 06:45:08.489083');
INSERT INTO "stage" VALUES('07a12e20-23ee-4ee1-9f96-afecf88c6739','b-finished-1','score',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.513733',NULL,NULL,NULL,'assessments/b-finished-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b','2026-11-27 06:45:08.582963','2026-11-27 06:45:08.636494');
INSERT INTO "stage" VALUES('14c6eaa6-4db7-4ad2-bf93-d9b9f179dbd2','b-finished-2','encode',0,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.743319',NULL,NULL,'assessments/b-finished-2/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a','assessments/b-finished-2/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:08.786035','2026-11-27 06:45:08.853369');
INSERT INTO "stage" VALUES('556e9b74-58d0-4285-8540-17f4c7b9ae3b','b-finished-2','encode',1,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:08.743435',NULL,NULL,'assessments/b-finished-2/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d','assessments/b-finished-2/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:09.178315','2026-11-27 06:45:09.366708');
INSERT INTO "stage" VALUES('9bb4a42c-6b63-4733-a25b-729b0d0821c0','b-finished-2','score',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:09.372310',NULL,NULL,NULL,'assessments/b-finished-2/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b','2026-11-27 06:45:09.566116','2026-11-27 06:45:09.628703');
INSERT INTO "stage" VALUES('3c72e87e-9d99-4f40-af19-83a90fad9363','b-running-1','encode',0,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:09.828897',NULL,NULL,'assessments/b-running-1/work/prepare/4f6493ed6fbee765634f00fa47ff026b25e4091e1d5905b6986dc70811df3b0a','assessments/b-running-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:09.891856','2026-11-27 06:45:09.924522');
INSERT INTO "stage" VALUES('3150a34e-1ef9-42eb-a6ce-e7967b4ca720','b-running-1','encode',1,'done',16,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:09.829046',NULL,NULL,'assessments/b-running-1/work/prepare/279ddaf91be5330a1f6367d33e58e5c197cb0a89e76ccc8812303ded372c576d','assessments/b-running-1/work/encode/12286605014c91ad1937e4d04f4ba6ed39a2aa14b6500615e33ea3e73e9edabf','2026-11-27 06:45:09.980871','2026-11-27 06:45:10.035362');
INSERT INTO "stage" VALUES('3f158a39-5a9d-4505-b68b-d8f9c3c74ebc','b-running-1','score',0,'done',0,1,1,'host-1-aaaaaaaa',NULL,'2026-11-27 06:45:10.044342',NULL,NULL,NULL,'assessments/b-running-1/result/bdf4416cbf715ee568db77e612fa8ecc61e098fbc460b682794a43bb4c5dce4b','2026-11-27 06:45:10.090801','2026-11-27 06:45:10.149886');
CREATE TABLE upload (
	id VARCHAR(36) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	length BIGINT NOT NULL, 
	"offset" BIGINT NOT NULL, 
	fence INTEGER NOT NULL, 
	sha256 VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	completed_at DATETIME, 
	holder VARCHAR(36), 
	held_until DATETIME, 
	used_by VARCHAR(36), 
	CONSTRAINT pk_upload PRIMARY KEY (id)
);
INSERT INTO "upload" VALUES('439eedb3-3085-4769-8d48-3de9ecc82cf7','ward-a',1000,500,0,NULL,'2026-11-27 06:45:10.530991','2026-11-27 06:45:10.530991',NULL,NULL,NULL,NULL);
CREATE TABLE webhook (
	id VARCHAR(36) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	url VARCHAR(2048) NOT NULL, 
	events JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	disabled_reason VARCHAR(64), 
	secret VARCHAR(128) NOT NULL, 
	previous_secret VARCHAR(128), 
	previous_until DATETIME, 
	failing_since DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_webhook PRIMARY KEY (id)
);
INSERT INTO "webhook" VALUES('a72c03a5-02af-41e7-b9d4-13fcbbb52781','ward-a','https://clinic.example/hook','[]','enabled',NULL,'whsec_4auBinr5t6V5PmuIDasQwKuOerigogbt71WUNRno5tA=',NULL,NULL,NULL,'2026-11-27 06:45:07.613675','2026-11-27 06:45:07.613675');
CREATE TABLE "worker" (
	id VARCHAR(128) NOT NULL, 
	queues JSON NOT NULL, 
	model_digest VARCHAR(128), 
	started_at DATETIME NOT NULL, 
	beat_at DATETIME NOT NULL, 
	forward_at DATETIME, 
	slots INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_worker PRIMARY KEY (id)
);
INSERT INTO "worker" VALUES('host-1-aaaaaaaa','["prepare", "encode", "score"]','sha256:rehearsal','2026-11-27 06:45:07.521959','2026-11-27 06:45:07.521959','2026-11-27 06:45:07.521959',1);
CREATE INDEX ix_assessment_page ON assessment (tenant, created_at, id);
CREATE INDEX ix_assessment_state ON assessment (state);
CREATE INDEX ix_stage_lease ON stage (state, lease_until);
CREATE INDEX ix_stage_queue ON stage (kind, state, enqueued_at);
CREATE INDEX ix_batch_page ON batch (tenant, created_at, id);
CREATE INDEX ix_batch_state ON batch (state);
CREATE INDEX ix_idempotency_age ON idempotency (created_at);
CREATE INDEX ix_message_age ON message (created_at);
CREATE INDEX ix_reservation_identity ON reservation (tenant, identity, due_at);
CREATE INDEX ix_upload_age ON upload (updated_at);
CREATE INDEX ix_webhook_tenant ON webhook (tenant);
CREATE INDEX ix_delivery_queue ON delivery (state, enqueued_at);
CREATE INDEX ix_delivery_webhook ON delivery (webhook_id, state);
CREATE INDEX ix_delivery_attempt_delivery ON delivery_attempt (delivery_id, attempt);
CREATE INDEX ix_assessment_batch ON assessment (batch_id, state);
CREATE INDEX ix_assessment_line ON assessment (batch_id, batch_line);
CREATE INDEX ix_stage_pace ON stage (kind, finished_at);
COMMIT;
