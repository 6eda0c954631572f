CREATE TABLE account (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	parent_id INTEGER, 
	identifier TEXT DEFAULT 'email' NOT NULL, 
	time_zone TEXT NOT NULL, 
	last_number BIGINT DEFAULT 0 NOT NULL, 
	created_at BIGINT NOT NULL, unsubscribe_type TEXT DEFAULT 'all' NOT NULL, field_labels JSON DEFAULT '{}' NOT NULL, tracking TEXT DEFAULT 'full' NOT NULL, 
	CONSTRAINT ck_account_identifier CHECK (identifier IN ('email', 'custom_id')), 
	CONSTRAINT fk_account_parent_id FOREIGN KEY(parent_id) REFERENCES account (id), 
	CONSTRAINT uq_account_name UNIQUE (name)
);

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE allowed_address (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	network TEXT NOT NULL, 
	CONSTRAINT fk_allowed_address_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE TABLE api_token (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	login_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	token_hash TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_used_at BIGINT, 
	CONSTRAINT fk_api_token_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_api_token_login_id FOREIGN KEY(login_id) REFERENCES login (id), 
	CONSTRAINT uq_api_token_token_hash UNIQUE (token_hash)
);

CREATE TABLE audit_entry (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	login_id INTEGER, 
	login_name TEXT DEFAULT '' NOT NULL, 
	action TEXT NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	address TEXT DEFAULT '' NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT fk_audit_entry_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_audit_entry_login_id FOREIGN KEY(login_id) REFERENCES login (id)
);

CREATE TABLE bounce (
	delivery_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	class TEXT NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	code TEXT DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	contact_bounces INTEGER DEFAULT 1 NOT NULL, 
	CONSTRAINT pk_bounce PRIMARY KEY (delivery_id), 
	CONSTRAINT ck_bounce_ck_bounce_class CHECK (class IN ('user', 'domain', 'hard', 'full', 'size', 'block', 'content', 'transient', 'unknown')), 
	CONSTRAINT fk_bounce_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_bounce_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);

CREATE TABLE campaign (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_campaign_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_campaign_list_id FOREIGN KEY(list_id) REFERENCES list (id)
);

CREATE TABLE chosen_number (
	kind TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_chosen_number PRIMARY KEY (kind, number), 
	CONSTRAINT fk_chosen_number_account_id FOREIGN KEY(account_id) REFERENCES account (id)
)
 WITHOUT ROWID;

CREATE TABLE contact (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	email TEXT DEFAULT '' NOT NULL, 
	email_key TEXT DEFAULT '' NOT NULL, 
	unique_email TEXT, 
	custom_id TEXT DEFAULT '' NOT NULL, 
	first_name TEXT DEFAULT '' NOT NULL, 
	last_name TEXT DEFAULT '' NOT NULL, 
	phone TEXT DEFAULT '' NOT NULL, 
	fax TEXT DEFAULT '' NOT NULL, 
	address TEXT DEFAULT '' NOT NULL, 
	address2 TEXT DEFAULT '' NOT NULL, 
	city TEXT DEFAULT '' NOT NULL, 
	state TEXT DEFAULT '' NOT NULL, 
	zip TEXT DEFAULT '' NOT NULL, 
	company TEXT DEFAULT '' NOT NULL, 
	custom1 TEXT DEFAULT '' NOT NULL, 
	custom2 TEXT DEFAULT '' NOT NULL, 
	custom3 TEXT DEFAULT '' NOT NULL, 
	custom4 TEXT DEFAULT '' NOT NULL, 
	custom5 TEXT DEFAULT '' NOT NULL, 
	custom6 TEXT DEFAULT '' NOT NULL, 
	custom7 TEXT DEFAULT '' NOT NULL, 
	custom8 TEXT DEFAULT '' NOT NULL, 
	custom9 TEXT DEFAULT '' NOT NULL, 
	custom10 TEXT DEFAULT '' NOT NULL, 
	custom11 TEXT DEFAULT '' NOT NULL, 
	custom12 TEXT DEFAULT '' NOT NULL, 
	custom13 TEXT DEFAULT '' NOT NULL, 
	custom14 TEXT DEFAULT '' NOT NULL, 
	custom15 TEXT DEFAULT '' NOT NULL, 
	custom16 TEXT DEFAULT '' NOT NULL, 
	custom17 TEXT DEFAULT '' NOT NULL, 
	custom18 TEXT DEFAULT '' NOT NULL, 
	custom19 TEXT DEFAULT '' NOT NULL, 
	custom20 TEXT DEFAULT '' NOT NULL, 
	custom21 TEXT DEFAULT '' NOT NULL, 
	custom22 TEXT DEFAULT '' NOT NULL, 
	custom23 TEXT DEFAULT '' NOT NULL, 
	custom24 TEXT DEFAULT '' NOT NULL, 
	custom25 TEXT DEFAULT '' NOT NULL, 
	custom26 TEXT DEFAULT '' NOT NULL, 
	custom27 TEXT DEFAULT '' NOT NULL, 
	custom28 TEXT DEFAULT '' NOT NULL, 
	custom29 TEXT DEFAULT '' NOT NULL, 
	custom30 TEXT DEFAULT '' NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, text_only BOOLEAN DEFAULT 0 NOT NULL, unsubscribed_at BIGINT, channels_shut TEXT DEFAULT '' NOT NULL, suppressed_at BIGINT, double_of INTEGER, 
	CONSTRAINT fk_contact_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT uq_contact_account_id_unique_email UNIQUE (account_id, unique_email)
);

CREATE TABLE contact_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	contact_id INTEGER NOT NULL, 
	list_id INTEGER, 
	kind TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	"by" TEXT DEFAULT '' NOT NULL, 
	message_id INTEGER, 
	message_category_id INTEGER, 
	list_category_id INTEGER, 
	external_event_id INTEGER, 
	part_of INTEGER, 
	detail JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT ck_contact_event_kind CHECK (kind IN ('added', 'changed', 'joined', 'left', 'subscribed', 'waiting', 'unsubscribed', 'profile', 'suppressed', 'released', 'complained', 'raised')), 
	CONSTRAINT fk_contact_event_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_contact_event_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id)
);

CREATE TABLE delivery (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	message_id INTEGER NOT NULL, 
	contact_id INTEGER, 
	email TEXT NOT NULL, 
	email_key TEXT NOT NULL, 
	fields JSON DEFAULT '{}' NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	handed_at BIGINT, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	doubts INTEGER DEFAULT 0 NOT NULL, 
	reply TEXT DEFAULT '' NOT NULL, 
	next_try_at BIGINT, 
	is_test BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT ck_delivery_state CHECK (state IN ('chosen', 'skipped', 'built', 'handing', 'handed', 'deferred', 'uncertain', 'failed', 'bounced')), 
	CONSTRAINT fk_delivery_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_delivery_job_id FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT fk_delivery_message_id FOREIGN KEY(message_id) REFERENCES message (id)
);

CREATE TABLE delivery_activity (
	delivery_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	opened_at BIGINT, 
	last_opened_at BIGINT, 
	read_at BIGINT, 
	last_read_at BIGINT, 
	clicked_at BIGINT, 
	last_clicked_at BIGINT, 
	opens BIGINT DEFAULT 0 NOT NULL, 
	clicks BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_delivery_activity PRIMARY KEY (delivery_id), 
	CONSTRAINT fk_delivery_activity_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_delivery_activity_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);

CREATE TABLE erased_address (
	account_id INTEGER NOT NULL, 
	address_hash TEXT NOT NULL, 
	erased_at BIGINT NOT NULL, 
	CONSTRAINT pk_erased_address PRIMARY KEY (account_id, address_hash), 
	CONSTRAINT fk_erased_address_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE TABLE event_counter (
	scope TEXT NOT NULL, 
	scope_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	last BIGINT NOT NULL, 
	last_at BIGINT NOT NULL, 
	CONSTRAINT pk_event_counter PRIMARY KEY (scope, scope_id, kind)
)
 WITHOUT ROWID;

CREATE TABLE external_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	active BOOLEAN DEFAULT 1 NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT fk_external_event_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_external_event_list_id FOREIGN KEY(list_id) REFERENCES list (id)
);

CREATE TABLE granted_list (
	login_id INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	CONSTRAINT pk_granted_list PRIMARY KEY (login_id, list_id), 
	CONSTRAINT fk_granted_list_list_id FOREIGN KEY(list_id) REFERENCES list (id), 
	CONSTRAINT fk_granted_list_login_id FOREIGN KEY(login_id) REFERENCES login (id)
);

CREATE TABLE idempotent_answer (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	login_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	request_hash TEXT NOT NULL, 
	status INTEGER, 
	answer TEXT, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_idempotent_answer_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_idempotent_answer_login_id FOREIGN KEY(login_id) REFERENCES login (id), 
	CONSTRAINT uq_idempotent_answer_login_id_key UNIQUE (login_id, "key")
);

CREATE TABLE import_part (
	job_id INTEGER NOT NULL, 
	first_row BIGINT NOT NULL, 
	rows INTEGER NOT NULL, 
	counts JSON DEFAULT '{}' NOT NULL, 
	lines BLOB NOT NULL, 
	outcomes BLOB NOT NULL, 
	contact_ids BLOB NOT NULL, 
	CONSTRAINT pk_import_part PRIMARY KEY (job_id, first_row), 
	CONSTRAINT fk_import_part_job_id FOREIGN KEY(job_id) REFERENCES job (id)
);

CREATE TABLE incoming_mail (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	digest BLOB NOT NULL, 
	received_at BIGINT NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	account_id INTEGER, 
	delivery_id INTEGER, 
	kind TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	address TEXT DEFAULT '' NOT NULL, 
	code TEXT DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	content BLOB, 
	CONSTRAINT ck_incoming_mail_ck_incoming_mail_kind CHECK (kind IN ('bounce', 'delay', 'success', 'complaint', 'receipt', 'auto_reply', 'reply')), 
	CONSTRAINT ck_incoming_mail_ck_incoming_mail_outcome CHECK (outcome IN ('recorded', 'repeated', 'waiting', 'nothing', 'unsigned', 'expired', 'not_sent')), 
	CONSTRAINT fk_incoming_mail_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT uq_incoming_mail_digest UNIQUE (digest)
);

CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	login_id INTEGER, 
	kind TEXT NOT NULL, 
	list_id INTEGER, 
	state TEXT DEFAULT 'queued' NOT NULL, 
	step INTEGER DEFAULT 0 NOT NULL, 
	steps INTEGER DEFAULT 1 NOT NULL, 
	request JSON DEFAULT '{}' NOT NULL, 
	checkpoint JSON DEFAULT '{}' NOT NULL, 
	counters JSON DEFAULT '{}' NOT NULL, 
	blob TEXT, 
	blob_size BIGINT DEFAULT 0 NOT NULL, 
	label TEXT DEFAULT '' NOT NULL, 
	submitted_at BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	started_at BIGINT, 
	finished_at BIGINT, 
	attempt INTEGER DEFAULT 0 NOT NULL, 
	lease_until BIGINT, 
	worker TEXT DEFAULT '' NOT NULL, 
	cancel_asked BOOLEAN DEFAULT 0 NOT NULL, 
	error TEXT DEFAULT '' NOT NULL, deaths INTEGER DEFAULT '0' NOT NULL, paused BOOLEAN DEFAULT 0 NOT NULL, passes BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT ck_job_finished CHECK ((finished_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled'))), 
	CONSTRAINT ck_job_state CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')), 
	CONSTRAINT ck_job_step CHECK (step >= 0 AND step <= steps), 
	CONSTRAINT fk_job_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_job_list_id FOREIGN KEY(list_id) REFERENCES list (id), 
	CONSTRAINT fk_job_login_id FOREIGN KEY(login_id) REFERENCES login (id)
);

CREATE TABLE job_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT fk_job_event_job_id FOREIGN KEY(job_id) REFERENCES job (id)
);

CREATE TABLE link_figure (
	link_id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	clicks BIGINT DEFAULT 0 NOT NULL, 
	clickers BIGINT DEFAULT 0 NOT NULL, 
	machine_clicks BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_link_figure PRIMARY KEY (link_id, job_id), 
	CONSTRAINT fk_link_figure_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_link_figure_job_id FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT fk_link_figure_link_id FOREIGN KEY(link_id) REFERENCES tracked_link (id)
);

CREATE TABLE link_key (
	number INTEGER NOT NULL, 
	salt TEXT DEFAULT '' NOT NULL, 
	first_delivery BIGINT NOT NULL, 
	last_delivery BIGINT, 
	first_contact BIGINT NOT NULL, 
	last_contact BIGINT, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_link_key PRIMARY KEY (number)
);

CREATE TABLE list (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	settings JSON DEFAULT '{}' NOT NULL, 
	visible BOOLEAN DEFAULT 1 NOT NULL, 
	on_subscription_page BOOLEAN DEFAULT 0 NOT NULL, 
	members BIGINT DEFAULT 0 NOT NULL, 
	subscribed BIGINT DEFAULT 0 NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT, 
	updated_by INTEGER, 
	deleted_at BIGINT, category_id INTEGER, tracking TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT fk_list_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE TABLE list_category (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	login_id INTEGER, 
	active BOOLEAN DEFAULT 1 NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_list_category_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE TABLE login (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	name_key TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	may_call_api BOOLEAN DEFAULT 1 NOT NULL, 
	may_see_analytics BOOLEAN DEFAULT 1 NOT NULL, 
	all_lists BOOLEAN DEFAULT 1 NOT NULL, 
	created_at BIGINT NOT NULL, may_use_console BOOLEAN DEFAULT 1 NOT NULL, is_demo BOOLEAN DEFAULT 0 NOT NULL, disabled_at BIGINT, deleted_at BIGINT, may_choose_numbers BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT fk_login_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT uq_login_name_key UNIQUE (name_key)
);

CREATE TABLE login_address (
	login_id INTEGER NOT NULL, 
	address_key TEXT NOT NULL, 
	last_used_at BIGINT NOT NULL, 
	CONSTRAINT pk_login_address PRIMARY KEY (login_id, address_key), 
	CONSTRAINT fk_login_address_login_id FOREIGN KEY(login_id) REFERENCES login (id) ON DELETE CASCADE
);

CREATE TABLE logon_failure (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	count_key TEXT NOT NULL, 
	failed_at BIGINT NOT NULL
);

CREATE TABLE mail_event (
	message_id INTEGER NOT NULL, 
	is_test BOOLEAN NOT NULL, 
	kind TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	job_id INTEGER NOT NULL, 
	delivery_id INTEGER, 
	account_number INTEGER, 
	previous_at BIGINT, 
	first_number INTEGER, 
	link_id INTEGER, 
	link_number INTEGER, 
	CONSTRAINT pk_mail_event PRIMARY KEY (message_id, is_test, kind, number), 
	CONSTRAINT ck_mail_event_ck_mail_event_kind CHECK (kind IN ('sent', 'bounce', 'open', 'read', 'click', 'machine_open', 'machine_click')), 
	CONSTRAINT fk_mail_event_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_mail_event_message_id FOREIGN KEY(message_id) REFERENCES message (id)
)
 WITHOUT ROWID;

CREATE TABLE membership (
	list_id INTEGER NOT NULL, 
	contact_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	added_at BIGINT NOT NULL, 
	added_by TEXT DEFAULT '' NOT NULL, 
	removed_at BIGINT, 
	removed_by TEXT DEFAULT '' NOT NULL, 
	last_job INTEGER, 
	profile JSON DEFAULT '{}' NOT NULL, form_values JSON, 
	CONSTRAINT pk_membership PRIMARY KEY (list_id, contact_id), 
	CONSTRAINT ck_membership_state CHECK (state IN ('subscribed', 'unsubscribed', 'waiting')), 
	CONSTRAINT fk_membership_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_membership_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id), 
	CONSTRAINT fk_membership_list_id FOREIGN KEY(list_id) REFERENCES list (id)
)
 WITHOUT ROWID;

CREATE TABLE message (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	list_id INTEGER, 
	kind TEXT NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	public_id TEXT NOT NULL, 
	subject TEXT DEFAULT '' NOT NULL, 
	from_name TEXT DEFAULT '' NOT NULL, 
	from_address TEXT DEFAULT '' NOT NULL, 
	reply_address TEXT DEFAULT '' NOT NULL, 
	to_name TEXT DEFAULT '' NOT NULL, 
	html TEXT DEFAULT '' NOT NULL, 
	plain TEXT DEFAULT '' NOT NULL, 
	charset TEXT DEFAULT 'utf-8' NOT NULL, 
	campaign_id INTEGER, 
	category_id INTEGER, 
	archived BOOLEAN DEFAULT 0 NOT NULL, 
	hidden BOOLEAN DEFAULT 0 NOT NULL, 
	has_own_links BOOLEAN DEFAULT 0 NOT NULL, 
	extras JSON DEFAULT '{}' NOT NULL, 
	login_id INTEGER, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, unique_name TEXT, 
	CONSTRAINT ck_message_kind CHECK (kind IN ('saved', 'transactional', 'magnetmail', 'send')), 
	CONSTRAINT fk_message_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_message_list_id FOREIGN KEY(list_id) REFERENCES list (id), 
	CONSTRAINT uq_message_public_id UNIQUE (public_id)
);

CREATE TABLE message_category (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	login_id INTEGER, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_message_category_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE TABLE object_mapping (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	object_type TEXT NOT NULL, 
	identifier TEXT NOT NULL, 
	own_type TEXT NOT NULL, 
	own_id INTEGER NOT NULL, 
	own_name TEXT DEFAULT '' NOT NULL, 
	login_id INTEGER, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_object_mapping_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE TABLE occasion (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	open BOOLEAN DEFAULT 1 NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_occasion_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE TABLE opt_out (
	contact_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	target_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_opt_out PRIMARY KEY (contact_id, kind, target_id), 
	CONSTRAINT ck_opt_out_kind CHECK (kind IN ('list', 'list_category', 'message_category')), 
	CONSTRAINT fk_opt_out_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_opt_out_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id)
)
 WITHOUT ROWID;

CREATE TABLE profile_attribute (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	header_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	max_length INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT fk_profile_attribute_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_profile_attribute_header_id FOREIGN KEY(header_id) REFERENCES profile_header (id), 
	CONSTRAINT fk_profile_attribute_list_id FOREIGN KEY(list_id) REFERENCES list (id)
);

CREATE TABLE profile_header (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT fk_profile_header_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_profile_header_list_id FOREIGN KEY(list_id) REFERENCES list (id)
);

CREATE TABLE rejected_row (
	job_id INTEGER NOT NULL, 
	line BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	fields JSON NOT NULL, 
	CONSTRAINT pk_rejected_row PRIMARY KEY (job_id, line), 
	CONSTRAINT fk_rejected_row_job_id FOREIGN KEY(job_id) REFERENCES job (id)
)
 WITHOUT ROWID;

CREATE TABLE review_address (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	list_id INTEGER NOT NULL, 
	email TEXT NOT NULL, 
	email_key TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_review_address_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_review_address_list_id FOREIGN KEY(list_id) REFERENCES list (id), 
	CONSTRAINT uq_review_address_list_id_email_key UNIQUE (list_id, email_key)
);

CREATE TABLE saved_search (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	login_id INTEGER, 
	criteria JSON DEFAULT '{}' NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_saved_search_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT uq_saved_search_account_id_name UNIQUE (account_id, name)
);

CREATE TABLE secret (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_secret PRIMARY KEY (name)
);

CREATE TABLE send (
	job_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	message_id INTEGER NOT NULL, 
	source_id INTEGER, 
	list_id INTEGER, 
	purpose TEXT NOT NULL, 
	is_test BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_send PRIMARY KEY (job_id), 
	CONSTRAINT fk_send_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_send_job_id FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT fk_send_message_id FOREIGN KEY(message_id) REFERENCES message (id)
);

CREATE TABLE send_figure (
	job_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	sent BIGINT DEFAULT 0 NOT NULL, 
	bounced BIGINT DEFAULT 0 NOT NULL, 
	opens BIGINT DEFAULT 0 NOT NULL, 
	openers BIGINT DEFAULT 0 NOT NULL, 
	readers BIGINT DEFAULT 0 NOT NULL, 
	clicks BIGINT DEFAULT 0 NOT NULL, 
	clickers BIGINT DEFAULT 0 NOT NULL, 
	repeat_clickers BIGINT DEFAULT 0 NOT NULL, 
	complaints BIGINT DEFAULT 0 NOT NULL, 
	machine_opens BIGINT DEFAULT 0 NOT NULL, 
	machine_clicks BIGINT DEFAULT 0 NOT NULL, 
	erased_departures BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_send_figure PRIMARY KEY (job_id), 
	CONSTRAINT fk_send_figure_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_send_figure_job_id FOREIGN KEY(job_id) REFERENCES job (id)
);

CREATE TABLE session (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	token_hash TEXT NOT NULL, 
	login_id INTEGER NOT NULL, 
	purpose TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_used_at BIGINT NOT NULL, 
	CONSTRAINT fk_session_login_id FOREIGN KEY(login_id) REFERENCES login (id), 
	CONSTRAINT uq_session_token_hash UNIQUE (token_hash)
);

CREATE TABLE sign_up (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	occasion_id INTEGER NOT NULL, 
	call_id INTEGER, 
	email TEXT NOT NULL, 
	first_name TEXT DEFAULT '' NOT NULL, 
	last_name TEXT DEFAULT '' NOT NULL, 
	reference TEXT DEFAULT '' NOT NULL, 
	live BOOLEAN DEFAULT 1 NOT NULL, 
	answers JSON DEFAULT '{}' NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_sign_up_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_sign_up_occasion_id FOREIGN KEY(occasion_id) REFERENCES occasion (id)
);

CREATE TABLE spool_position (
	spool TEXT NOT NULL, 
	segment TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	CONSTRAINT pk_spool_position PRIMARY KEY (spool, segment)
);

CREATE TABLE suppression (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	list_id INTEGER DEFAULT 0 NOT NULL, 
	kind TEXT NOT NULL, 
	email_key TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT ck_suppression_kind CHECK (kind IN ('suppressed', 'banned')), 
	CONSTRAINT fk_suppression_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT uq_suppression_account_id_email_key_kind_list_id UNIQUE (account_id, email_key, kind, list_id)
);

CREATE TABLE taken_number (
	job_id INTEGER NOT NULL, 
	first BIGINT NOT NULL, 
	numbers BIGINT NOT NULL, 
	CONSTRAINT pk_taken_number PRIMARY KEY (job_id), 
	CONSTRAINT fk_taken_number_job_id FOREIGN KEY(job_id) REFERENCES job (id)
);

CREATE TABLE tracked_link (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	message_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	url TEXT NOT NULL, 
	target TEXT NOT NULL, 
	label TEXT DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	is_dynamic BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT fk_tracked_link_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_tracked_link_message_id FOREIGN KEY(message_id) REFERENCES message (id), 
	CONSTRAINT uq_tracked_link_message_id_position UNIQUE (message_id, position)
);

CREATE TABLE worker (
	name TEXT NOT NULL, 
	began_at BIGINT NOT NULL, 
	beat_at BIGINT NOT NULL, 
	CONSTRAINT pk_worker PRIMARY KEY (name)
);

INSERT INTO "alembic_version" VALUES ('0024');

INSERT INTO "link_key" VALUES (1, '<salt>', 0, NULL, 0, NULL, <micros>);

INSERT INTO "secret" VALUES ('records', '<records>');

DELETE FROM sqlite_sequence;

INSERT INTO "sqlite_sequence" VALUES ('message', 0);

INSERT INTO "sqlite_sequence" VALUES ('delivery', 0);

-- indexes and triggers

CREATE INDEX ix_allowed_address_account_id ON allowed_address (account_id);

CREATE INDEX ix_api_token_login_id ON api_token (login_id);

CREATE INDEX ix_audit_entry_account_id_id ON audit_entry (account_id, id);

CREATE INDEX ix_audit_entry_at ON audit_entry (at);

CREATE INDEX ix_audit_entry_login_id_action_at ON audit_entry (login_id, action, at);

CREATE INDEX ix_campaign_list_id ON campaign (list_id);

CREATE INDEX ix_contact_account_id_custom_id ON contact (account_id, custom_id) WHERE custom_id <> '';

CREATE INDEX ix_contact_account_id_double_of ON contact (account_id, double_of) WHERE double_of IS NOT NULL;

CREATE INDEX ix_contact_account_id_email_key ON contact (account_id, email_key) WHERE unique_email IS NULL;

CREATE INDEX ix_contact_account_id_id ON contact (account_id, id);

CREATE INDEX ix_contact_event_account_id_kind_at ON contact_event (account_id, kind, at);

CREATE INDEX ix_contact_event_contact_id_id ON contact_event (contact_id, id);

CREATE INDEX ix_contact_event_message_id ON contact_event (message_id, kind, id) WHERE message_id IS NOT NULL;

CREATE INDEX ix_delivery_contact_id ON delivery (contact_id);

CREATE INDEX ix_delivery_due ON delivery (job_id, next_try_at) WHERE next_try_at IS NOT NULL;

CREATE INDEX ix_delivery_job_id_email_key ON delivery (job_id, email_key);

CREATE INDEX ix_delivery_message_id_email_key ON delivery (message_id, email_key);

CREATE INDEX ix_external_event_list_id ON external_event (list_id);

CREATE INDEX ix_idempotent_answer_created_at ON idempotent_answer (created_at);

CREATE INDEX ix_incoming_mail_delivery_id ON incoming_mail (delivery_id) WHERE delivery_id IS NOT NULL;

CREATE INDEX ix_incoming_mail_outcome ON incoming_mail (outcome, received_at);

CREATE INDEX ix_job_account_id_kind_list_id ON job (account_id, kind, list_id);

CREATE INDEX ix_job_account_id_started_at ON job (account_id, started_at);

CREATE INDEX ix_job_event_job_id ON job_event (job_id);

CREATE INDEX ix_job_open ON job (state, list_id) WHERE finished_at IS NULL;

CREATE INDEX ix_list_account_id ON list (account_id);

CREATE INDEX ix_list_category_account_id ON list_category (account_id);

CREATE INDEX ix_login_account_id ON login (account_id);

CREATE INDEX ix_logon_failure_count_key ON logon_failure (count_key);

CREATE INDEX ix_logon_failure_failed_at ON logon_failure (failed_at);

CREATE UNIQUE INDEX ix_mail_event_account_id_kind ON mail_event (account_id, kind, account_number) WHERE account_number IS NOT NULL;

CREATE INDEX ix_mail_event_delivery_id ON mail_event (delivery_id, kind);

CREATE UNIQUE INDEX ix_mail_event_first_number ON mail_event (message_id, is_test, kind, first_number) WHERE first_number IS NOT NULL;

CREATE UNIQUE INDEX ix_mail_event_link_id ON mail_event (link_id, is_test, kind, link_number) WHERE link_number IS NOT NULL;

CREATE INDEX ix_membership_contact_id ON membership (contact_id);

CREATE INDEX ix_membership_list_id_removed_at ON membership (list_id, removed_at, contact_id) WHERE removed_at IS NOT NULL;

CREATE INDEX ix_message_account_id ON message (account_id);

CREATE UNIQUE INDEX ix_message_account_id_unique_name ON message (account_id, unique_name);

CREATE INDEX ix_message_category_account_id ON message_category (account_id);

CREATE INDEX ix_message_list_id ON message (list_id);

CREATE INDEX ix_object_mapping_account_id ON object_mapping (account_id);

CREATE INDEX ix_occasion_account_id ON occasion (account_id);

CREATE INDEX ix_profile_attribute_header_id ON profile_attribute (header_id);

CREATE INDEX ix_profile_attribute_list_id ON profile_attribute (list_id);

CREATE INDEX ix_profile_header_list_id ON profile_header (list_id);

CREATE INDEX ix_send_account_id_list_id ON send (account_id, list_id);

CREATE INDEX ix_send_message_id ON send (message_id);

CREATE INDEX ix_send_source_id ON send (source_id);

CREATE INDEX ix_session_login_id ON session (login_id);

CREATE INDEX ix_sign_up_occasion_id ON sign_up (occasion_id);

CREATE TRIGGER job_born AFTER INSERT ON job
BEGIN
    INSERT INTO job_event (job_id, state, step, attempt, at)
    VALUES (NEW.id, NEW.state, NEW.step, NEW.attempt, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state, step, attempt ON job
WHEN OLD.state <> NEW.state OR OLD.step <> NEW.step OR OLD.attempt <> NEW.attempt
BEGIN
    INSERT INTO job_event (job_id, state, step, attempt, at)
    VALUES (NEW.id, NEW.state, NEW.step, NEW.attempt, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END;

CREATE TRIGGER job_state_guard BEFORE UPDATE OF state ON job
WHEN NOT (
    (OLD.state = 'queued' AND NEW.state IN ('queued', 'running', 'cancelled', 'failed'))
    OR OLD.state = 'running'
    OR (OLD.state = 'failed' AND NEW.state IN ('failed', 'queued'))
    OR (OLD.state = NEW.state)
)
BEGIN
    SELECT RAISE(ABORT, 'job: this change of state is not allowed');
END;

CREATE TRIGGER job_step_guard BEFORE UPDATE OF step ON job
WHEN NEW.step < OLD.step AND NEW.state <> 'queued'
BEGIN
    SELECT RAISE(ABORT, 'job: a step does not go back');
END;

