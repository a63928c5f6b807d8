# The portals and applications of the account.
applications-title = My portals and applications
applications-portals = My portals
applications-others = Applications I let in
applications-lead = These applications are not ours: you gave them access. If you take it back, they learn nothing more about you and have to ask you again.
applications-none = You have not let in any application.
applications-since = Allowed on
applications-used = Last used
applications-open = Open { $name }
applications-revoke = Take access back
applications-done = Access was taken back. The application can no longer see your account.
applications-back = Back to my account
