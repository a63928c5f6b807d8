# Courriels du compte.
letter-invitation-subject = Votre compte vous attend
letter-invitation-what = Un compte a été préparé pour vous.
letter-invitation-what-from = Un compte a été préparé pour vous par { $name }.
letter-invitation-login = Votre identifiant : { $login }
letter-invitation-link = { $count ->
    [one] Pour l’activer et choisir votre mot de passe, ouvrez ce lien. Il fonctionne une seule fois, pendant { $count } jour :
   *[other] Pour l’activer et choisir votre mot de passe, ouvrez ce lien. Il fonctionne une seule fois, pendant { $count } jours :
}
letter-invitation-personal = Ce compte est personnel : ne transmettez ni ce lien ni votre mot de passe à personne.
letter-sign-up-subject = Confirmez votre adresse
letter-sign-up-what = Quelqu’un, sans doute vous, a demandé un compte avec cette adresse. Pour la confirmer et choisir votre mot de passe, ouvrez ce lien. Il fonctionne une seule fois, pendant 24 heures :
letter-sign-up-if-not = Si ce n’est pas vous, ignorez ce message : aucun compte ne sera créé.
letter-known-subject = Vous avez déjà un compte
letter-known-what = Quelqu’un, sans doute vous, a demandé un compte avec cette adresse. Vous en avez déjà un : il n’y a rien à créer.
letter-known-how = Si vous ne connaissez plus votre mot de passe, demandez un lien ici :
letter-known-if-not = Si ce n’est pas vous, ignorez ce message : rien n’a changé.
letter-new-email-subject = Confirmez votre nouvelle adresse
letter-new-email-what = Vous avez demandé que cette adresse devienne celle de votre compte. Pour le confirmer, ouvrez ce lien. Il fonctionne une seule fois, pendant 60 minutes :
letter-new-email-if-not = Si ce n’est pas vous, ignorez ce message : rien ne changera.
letter-email-changed-subject = L’adresse de votre compte a changé
letter-email-changed-what = Cette adresse n’est plus celle de votre compte : une autre vient d’être confirmée. Les messages y seront désormais envoyés.
letter-email-changed-if-not = Si ce n’est pas vous, reprenez votre compte par ce lien, valable 7 jours : l’ancienne adresse est rétablie, tous les appareils sont déconnectés et vous choisissez un nouveau mot de passe.
letter-email-taken-back-subject = Votre changement d’adresse a été annulé
letter-email-taken-back-what = Le changement d’adresse de votre compte a été annulé depuis l’ancienne adresse. Les messages n’arriveront plus ici, et tous les appareils sont déconnectés.
letter-email-taken-back-if-not = Si vous n’y êtes pour rien, adressez-vous à l’administrateur de votre organisation.
letter-address-refused-subject = Une adresse de votre organisation ne reçoit plus nos messages
letter-address-refused-what = Les messages envoyés à { $address } sont refusés : l’adresse de { $name } (identifiant : { $login }) est fausse ou n’existe plus. Elle n’est plus considérée comme vérifiée.
letter-address-refused-how = Vérifiez l’adresse avec cette personne. Si elle utilise déjà son compte, elle peut la changer elle-même dans son profil. Si elle ne l’a pas encore activé, demandez une nouvelle invitation à la bonne adresse.
letter-address-refused-once = Nous ne vous écrivons qu’une fois à ce sujet.
letter-session-ended-subject = Un de vos appareils a été déconnecté
letter-session-ended-what = { $count ->
    [one] Votre compte ne peut être ouvert que sur { $count } appareil à la fois. Une nouvelle connexion vient de fermer la plus ancienne.
   *[other] Votre compte ne peut être ouvert que sur { $count } appareils à la fois. Une nouvelle connexion vient de fermer la plus ancienne.
}
letter-session-ended-device = Appareil déconnecté : { $device }
letter-session-ended-if-not = Si cette nouvelle connexion n’est pas la vôtre, ouvrez votre compte et signalez une compromission.

letter-administrator-changed-subject = { $organization } : administrateurs modifiés
letter-administrator-changed-what = Les administrateurs de { $organization } ont changé. Vous recevez ce message en tant que signataire de l’organisation.
letter-administrator-changed-person = Personne concernée : { $person }
letter-administrator-changed-if-not = Si ce changement n’est pas voulu, prévenez-nous sans attendre en répondant à ce message.
letter-webhook-disabled-subject = Webhook vers { $host } désactivé
letter-webhook-disabled-gone = Le destinataire { $host } a répondu qu’il ne veut plus d’événements (410) : le webhook a été désactivé.
letter-webhook-disabled-silent = Le destinataire { $host } n’a accepté aucun événement depuis trois jours : le webhook a été désactivé.
letter-webhook-disabled-organization = Organisation : { $organization }
letter-webhook-disabled-webhook = Webhook : { $webhook }
letter-webhook-disabled-then = Quand le destinataire répondra de nouveau, réactivez le webhook. Ce qu’il a manqué se lit dans le flux d’événements, ou peut être renvoyé un à un.
