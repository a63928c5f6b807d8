# For which organization somebody signs in. "$client" is the name of a portal.
organization-title = For which organization?
organization-lead = You belong to several organizations. Which one are you signing in for?
organization-last = Your last choice
organization-for = You are acting for { $name }.
organization-change = Change organization
organization-kind-company = Company
organization-kind-training-body = Training body
organization-kind-cfa = Apprenticeship centre (CFA)
organization-kind-partner = Partner
organization-kind-individual = As an individual
organization-kind-other = Organization
organization-kinds-company = companies
organization-kinds-training-body = training bodies
organization-kinds-cfa = apprenticeship centres (CFA)
organization-kinds-partner = partners
organization-kinds-individual = individuals

# The portal is not for this person.
organization-kind-title = This portal is not open to your organization
organization-kind-open-to = { $client } is for organizations of these types only:
organization-own = You belong to:
organization-none = Your account does not belong to any organization.
organization-kind-ask = If you think you should have access, ask your organization’s administrator or the support of this portal.
organization-member-title = You do not belong to this organization
organization-member-why = { $client } asks you to sign in for an organization you do not belong to, or no longer belong to.
organization-member-ask = If you should belong to it, ask the administrator of that organization to invite you.
organization-contact = Contact of { $client }:
organization-back = Go back to { $client }
organization-other-account = Use another account
