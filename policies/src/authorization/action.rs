//! The acts of the management API: one list, which the schema of the policies is held against.

/// Declares the acts with their names and the scope that a token needs for each.
macro_rules! actions {
    ($($(#[$doc:meta])* $act:ident $name:literal $scope:literal,)*) => {
        /// An act of the management API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[$doc])* $act,)*
        }

        impl Action {
            /// Every act, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$act),*];

            /// The name, as in the policies and in the audit.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$act => $name,)*
                }
            }

            /// The scope that an access token needs for the act (RFC 6749 §3.3).
            ///
            /// The scope limits what a program does in somebody's name; whether that somebody may is the policies' affair. A scope
            /// ending in `.read` is enough for acts that only look.
            pub fn scope(self) -> &'static str {
                match self {
                    $(Self::$act => $scope,)*
                }
            }
        }
    };
}

actions! {
    /// Lists organizations.
    ListOrganizations "list_organizations" "habilis.organizations.read",
    /// Creates an organization.
    CreateOrganization "create_organization" "habilis.organizations.write",
    /// Reads an organization.
    ReadOrganization "read_organization" "habilis.organizations.read",
    /// States the organization's own rules about passwords and second factors.
    SetOrganizationRules "set_organization_rules" "habilis.organizations.write",
    /// Changes an organization's identity: names, identifiers, kind.
    UpdateOrganization "update_organization" "habilis.organizations.write",
    /// Suspends, reinstates or terminates an organization.
    SetOrganizationStatus "set_organization_status" "habilis.organizations.write",
    /// Reads an organization's register of contacts.
    ReadContacts "read_contacts" "habilis.organizations.read",
    /// Changes the register of contacts.
    WriteContacts "write_contacts" "habilis.organizations.write",
    /// Changes who signs for the organization: contacts with that duty.
    WriteSignatory "write_signatory" "habilis.organizations.write",
    /// Says which portals and roles an organization may give to its members.
    GrantPortal "grant_portal" "habilis.organizations.write",
    /// Lists the members of an organization.
    ListMembers "list_members" "habilis.members.read",
    /// Reads one membership. The subject is the member.
    ReadMember "read_member" "habilis.members.read",
    /// Invites somebody into an organization.
    InviteMember "invite_member" "habilis.members.write",
    /// Changes a membership: affiliation, end date, names.
    UpdateMember "update_member" "habilis.members.write",
    /// Suspends a membership.
    SuspendMember "suspend_member" "habilis.members.write",
    /// Ends the suspension of a membership.
    ReinstateMember "reinstate_member" "habilis.members.write",
    /// Removes a member.
    RemoveMember "remove_member" "habilis.members.write",
    /// Makes a member an administrator, or an administrator a member.
    SetMemberRole "set_member_role" "habilis.members.write",
    /// Takes every second factor of a member away who lost them. The subject is the member.
    ResetMemberFactors "reset_member_factors" "habilis.members.write",
    /// Mails a member a link to choose another password. The subject is the member.
    ReissuePassword "reissue_password" "habilis.members.write",
    /// Reads whose password comes of age, and the figures of the campaign.
    ReadPasswordRenewals "read_password_renewals" "habilis.members.read",
    /// Gives a member a role on a portal.
    GiveRight "give_right" "habilis.members.write",
    /// Takes a role on a portal away.
    WithdrawRight "withdraw_right" "habilis.members.write",
    /// Lists the pending invitations.
    ListInvitations "list_invitations" "habilis.members.read",
    /// Sends an invitation again.
    ResendInvitation "resend_invitation" "habilis.members.write",
    /// Withdraws an invitation.
    WithdrawInvitation "withdraw_invitation" "habilis.members.write",
    /// Imports members from a file.
    ImportMembers "import_members" "habilis.members.write",
    /// Reads the state and the report of an import.
    ReadImport "read_import" "habilis.members.read",
    /// Exports the members of an organization.
    ExportMembers "export_members" "habilis.members.read",
    /// Exports how long each seat was whose, for a bill (R059).
    ExportUsage "export_usage" "habilis.members.read",
    /// Answers a member's request for a seat, and says what becomes of such requests (R059).
    DecideSeatRequest "decide_seat_request" "habilis.members.write",
    /// Takes the digests of the passwords of the organization's people away, to go elsewhere with them (R212).
    ExportPasswordHashes "export_password_hashes" "habilis.members.write",
    /// Adds digests of passwords to an import of people (R212).
    ImportPasswordHashes "import_password_hashes" "habilis.members.write",
    /// Decides, member by member, who still needs access.
    ReviewAccess "review_access" "habilis.members.write",
    /// Signs a review off.
    SignOffReview "sign_off_review" "habilis.members.write",
    /// Reads who has not signed in for long.
    ReadActivity "read_activity" "habilis.members.read",
    /// Asks for the succession of an administrator.
    RequestSuccession "request_succession" "habilis.members.write",
    /// Approves a succession; [`requested_by`](super::Context::requested_by) names who asked. The subject is the successor.
    ApproveSuccession "approve_succession" "habilis.members.write",
    /// Appoints or removes an administrator on the organization's written request: asking for it, and approving it, when
    /// [`requested_by`](super::Context::requested_by) names who asked.
    OverrideAdministrator "override_administrator" "habilis.members.write",
    /// Reads successions, and what the operator did on written requests.
    ReadSuccessions "read_successions" "habilis.members.read",
    /// Asks organizations for documents.
    RequestDocuments "request_documents" "habilis.organizations.write",
    /// Reads what organizations were asked for, and what is known of the documents.
    ReadDocumentRequests "read_document_requests" "habilis.organizations.read",
    /// Uploads documents the operator asked for, and answers.
    AnswerDocumentRequest "answer_document_request" "habilis.organizations.write",
    /// Accepts or refuses such an answer, or withdraws the request.
    DecideDocumentRequest "decide_document_request" "habilis.organizations.write",
    /// Reads a document that was uploaded.
    ReadRequestedDocument "read_requested_document" "habilis.organizations.write",
    /// Reads the audit.
    ReadAudit "read_audit" "habilis.audit.read",
    /// Reads the notices of all that expires: reminders and ends, with the fate of their mails.
    ReadNotices "read_notices" "habilis.audit.read",
    /// Reads the feed of events.
    ReadEvents "read_events" "habilis.webhooks",
    /// Creates, changes, tests and removes webhooks.
    ManageWebhooks "manage_webhooks" "habilis.webhooks",
    /// Reads webhooks and their deliveries.
    ReadWebhooks "read_webhooks" "habilis.webhooks",
    /// Reads one's own account. The subject is oneself.
    ReadSelf "read_self" "habilis.self",
    /// Changes one's own account. The subject is oneself.
    UpdateSelf "update_self" "habilis.self",
    /// Lists people of all organizations.
    ListPeople "list_people" "habilis.people.read",
    /// Reads a person, wherever they are a member.
    ReadPerson "read_person" "habilis.people.read",
    /// Invites somebody who belongs to no organization, and sends anybody's invitation again. The subject of the latter is the person.
    InvitePerson "invite_person" "habilis.people.write",
    /// Asks to make somebody an operator or a data protection officer, or to end that.
    ManageDuties "manage_duties" "habilis.duties",
    /// Decides such a change; [`requested_by`](super::Context::requested_by) names who asked. The subject is whom it is about.
    DecideDutyChange "decide_duty_change" "habilis.duties",
    /// Reads the changes of duties that were asked for.
    ReadDutyChanges "read_duty_changes" "habilis.people.read",
    /// Takes every second factor of a person away who lost them, wherever they are a member.
    ResetPersonFactors "reset_person_factors" "habilis.measures",
    /// Records that the identity of a person was verified. The subject is the person.
    VerifyIdentity "verify_identity" "habilis.measures",
    /// Reads the state of long work, and what waits of all that expires. The subject is who started it.
    ReadJobs "read_jobs" "habilis.jobs.read",
    /// Issues an API key.
    IssueApiKey "issue_api_key" "habilis.keys",
    /// Lists API keys, without their secrets.
    ReadApiKeys "read_api_keys" "habilis.keys",
    /// Revokes an API key.
    RevokeApiKey "revoke_api_key" "habilis.keys",
    /// Suspends, reinstates or terminates a person's account, or gives them formal notice. The subject is the person.
    SetPersonStatus "set_person_status" "habilis.measures",
    /// Says that mail came back from an address.
    ReportBounce "report_bounce" "habilis.bounces",
    /// Lists the clients, portals and programs alike, and the resources that tokens are issued for, and reads one.
    ReadPortals "read_portals" "habilis.portals",
    /// Registers a client or a resource and changes it; makes secrets and initial access tokens.
    WritePortals "write_portals" "habilis.portals",
    /// Suspends, reopens or closes a portal.
    SetPortalStatus "set_portal_status" "habilis.measures",
    /// Reads the signing keys: their dates and public halves.
    ReadSigningKeys "read_signing_keys" "habilis.signing_keys",
    /// Announces new signing keys, and withdraws a compromised one at once.
    RotateSigningKeys "rotate_signing_keys" "habilis.signing_keys",
    /// Reads the measures taken against people, organizations and portals.
    ReadMeasures "read_measures" "habilis.measures",
    /// Reads the orders of an organization.
    ReadOrders "read_orders" "habilis.orders",
    /// Records orders.
    WriteOrders "write_orders" "habilis.orders",
    /// Asks for a trial of a product, where the operator lets organizations do so themselves (R070).
    RequestTrial "request_trial" "habilis.orders",
    /// Says whether an organization has its data back at the end or only destroyed.
    ChooseDataReturn "choose_data_return" "habilis.orders",
    /// Reads the seats of an organization: how many, who holds them, what happened to them.
    ReadSeats "read_seats" "habilis.members.read",
    /// Gives a member a seat, takes it back, or hands it from one to another.
    AssignSeat "assign_seat" "habilis.members.write",
    /// Reads groups of members.
    ReadGroups "read_groups" "habilis.members.read",
    /// Makes groups, and says who is in them.
    WriteGroups "write_groups" "habilis.members.write",
    /// Reads enrolments.
    ReadEnrolments "read_enrolments" "habilis.members.read",
    /// Enrols members in courses, records what happens to enrolments, and sends the links that open them.
    WriteEnrolments "write_enrolments" "habilis.members.write",
    /// Ends every session, token and key of an organization at once (R033).
    KillSwitch "kill_switch" "habilis.members.write",
    /// Reports a security flaw or a misuse of credentials in an organization (R032).
    ReportIncident "report_incident" "habilis.organizations.write",
    /// Reads the queue of the data protection officer: what was reported (R034).
    ReadIncidents "read_incidents" "habilis.audit.read",
    /// Says that such an incident was handled.
    HandleIncident "handle_incident" "habilis.measures",
    /// Reads a person's consents.
    ReadConsents "read_consents" "habilis.privacy",
    /// Answers a person's request about their data.
    AnswerDataRequest "answer_data_request" "habilis.privacy",
    /// Sees an identity document (R124).
    ReadIdentityImage "read_identity_image" "habilis.identity_images",
}

/// Every scope of the management API, in alphabetical order.
pub const SCOPES: [&str; 19] = [
    "habilis.audit.read",
    "habilis.bounces",
    "habilis.duties",
    "habilis.identity_images",
    "habilis.jobs.read",
    "habilis.keys",
    "habilis.measures",
    "habilis.members.read",
    "habilis.members.write",
    "habilis.orders",
    "habilis.organizations.read",
    "habilis.organizations.write",
    "habilis.people.read",
    "habilis.people.write",
    "habilis.portals",
    "habilis.privacy",
    "habilis.self",
    "habilis.signing_keys",
    "habilis.webhooks",
];

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
